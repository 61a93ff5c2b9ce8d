import type { Schema } from './schema';

/** How one input is asked for. */
export type FieldKind = 'choice' | 'switch' | 'number' | 'line' | 'text' | 'json';

export interface InputField {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly kind: FieldKind;
  readonly required: boolean;
  readonly schema: Schema;
  /** What the field shows before anything was put in. */
  readonly first: string;
}

/** Longer than this, a text gets a box of several lines. */
const lineCharsMax = 300;
const oftenLong = /code|text|content|query|expression|script|body/i;

export function fieldsFor(schema: Schema): InputField[] {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([name, property]): InputField => ({
    name,
    label: property.title ?? name.replaceAll('_', ' '),
    hint: property.description ?? '',
    kind: kindOf(name, property),
    required: required.has(name),
    schema: property,
    first: firstOf(property),
  }));
  // What must be given stands first; the order is the schema's otherwise.
  return [...fields.filter((f) => f.required), ...fields.filter((f) => !f.required)];
}

function kindOf(name: string, schema: Schema): FieldKind {
  if (schema.enum) return 'choice';
  const type = typeOf(schema);
  if (type === 'boolean') return 'switch';
  if (type === 'integer' || type === 'number') return 'number';
  if (type !== 'string') return 'json';
  return (schema.maxLength ?? 0) > lineCharsMax || oftenLong.test(name) ? 'text' : 'line';
}

function typeOf(schema: Schema): string {
  const types = [schema.type ?? ''].flat();
  return types.find((type) => type !== 'null') ?? '';
}

function firstOf({ default: value }: Schema): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The inputs that the texts of a form stand for, or what is wrong with one of them. */
export function inputsOf(
  fields: readonly InputField[], texts: Readonly<Record<string, string>>,
): { inputs: Record<string, unknown> } | { field: string } {
  const inputs: Record<string, unknown> = {};
  for (const field of fields) {
    const given = texts[field.name] ?? field.first;
    if (given === '' && field.kind !== 'switch') {
      if (field.required && field.kind !== 'line' && field.kind !== 'text') return { field: field.name };
      if (field.required) inputs[field.name] = '';
      continue;
    }
    const value = valueOf(field, given);
    if (value === undefined) return { field: field.name };
    inputs[field.name] = value;
  }
  return { inputs };
}

function valueOf({ kind, schema }: InputField, given: string): unknown {
  switch (kind) {
    case 'switch': return given === 'true';
    case 'choice': return schema.enum?.find((value) => String(value) === given);
    case 'line': case 'text': return given;
    case 'number': {
      const number = Number(given);
      const isWhole = typeOf(schema) !== 'integer' || Number.isInteger(number);
      return Number.isFinite(number) && isWhole ? number : undefined;
    }
    case 'json':
      try {
        return JSON.parse(given) as unknown;
      } catch {
        return undefined;
      }
  }
}
