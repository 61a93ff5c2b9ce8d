import type { InputField } from './inputs';
import { texts } from './texts';

interface Props {
  fields: readonly InputField[];
  entered: Readonly<Record<string, string>>;
  /** The field that cannot be read as it is. */
  wrong: string;
  onChange: (name: string, text: string) => void;
}

/** A form for what a tool's JSON Schema describes. */
export function SchemaForm({ fields, entered, wrong, onChange }: Props) {
  return (
    <>
      {fields.map((field) => (
        <div key={field.name} class="schema-field">
          <label for={`input-${field.name}`}>
            {field.label}{field.required && <span aria-hidden="true"> *</span>}
          </label>
          <Input field={field} text={entered[field.name] ?? field.first} wrong={wrong === field.name}
            onChange={(text) => onChange(field.name, text)} />
          {field.hint && <p class="field-hint" id={`hint-${field.name}`}>{field.hint}</p>}
          {wrong === field.name && <p class="field-problem" role="alert">{texts.wrong[field.kind]}</p>}
        </div>
      ))}
    </>
  );
}

interface InputProps {
  field: InputField;
  text: string;
  wrong: boolean;
  onChange: (text: string) => void;
}

function Input({ field, text, wrong, onChange }: InputProps) {
  const { kind, schema, required } = field;
  const common = {
    id: `input-${field.name}`,
    required,
    'aria-invalid': wrong,
    'aria-describedby': field.hint ? `hint-${field.name}` : undefined,
  };
  switch (kind) {
    case 'choice':
      return (
        <select {...common} value={text} onChange={(event) => onChange(event.currentTarget.value)}>
          {!required && <option value="">{texts.notGiven}</option>}
          {required && text === '' && <option value="" disabled>{texts.choose}</option>}
          {schema.enum?.map((value) => <option key={String(value)}>{String(value)}</option>)}
        </select>
      );
    case 'switch':
      return (
        <input {...common} required={false} type="checkbox" checked={text === 'true'}
          onChange={(event) => onChange(String(event.currentTarget.checked))} />
      );
    case 'number':
      return (
        <input {...common} type="number" step="any" min={schema.minimum} max={schema.maximum} value={text}
          onInput={(event) => onChange(event.currentTarget.value)} />
      );
    case 'line':
      return (
        <input {...common} type="text" maxLength={schema.maxLength} value={text}
          onInput={(event) => onChange(event.currentTarget.value)} />
      );
    case 'text': case 'json':
      return (
        <textarea {...common} rows={4} value={text} spellcheck={false}
          placeholder={kind === 'json' ? 'JSON' : undefined}
          onInput={(event) => onChange(event.currentTarget.value)} />
      );
  }
}
