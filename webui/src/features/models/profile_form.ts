import { asSentence, Problem, sentence } from '../../kernel/api/http';
import type { ModelProfile, WireKind } from '../../kernel/api/types';
import { texts } from './texts';

/**
 * A model profile as its form holds it. The names are the wire's, with dots for what is nested, so
 * that what the server says of a member finds its field. Text as typed; empty is not set.
 */
export interface ProfileForm {
  name: string;
  role: string;
  base_url: string;
  model: string;
  kind: WireKind | 'auto';
  provider: string;
  context_window: string;
  'parameters.temperature': string;
  'parameters.top_p': string;
  'parameters.max_tokens': string;
  'parameters.reasoning_effort': string;
  'prices.input': string;
  'prices.cached_input': string;
  'prices.output': string;
  images: 'auto' | 'yes' | 'no';
  resume: 'restart' | 'prefill';
  fallbacks: readonly string[];
  enabled: boolean;
}

export type Field = keyof ProfileForm;
export type FieldErrors = Partial<Record<Field, string>>;

export function labelOf(field: Field): string {
  return texts.labels[field];
}

export const emptyForm: ProfileForm = {
  name: '', role: 'dialogue', base_url: '', model: '', kind: 'auto', provider: '',
  context_window: '', 'parameters.temperature': '', 'parameters.top_p': '',
  'parameters.max_tokens': '', 'parameters.reasoning_effort': '', 'prices.input': '',
  'prices.cached_input': '', 'prices.output': '', images: 'auto', resume: 'restart',
  fallbacks: [], enabled: true,
};

export function formOf(profile: ModelProfile): ProfileForm {
  const { parameters, prices } = profile;
  const shown = (value: number | undefined) => (value === undefined ? '' : String(value));
  return {
    name: profile.name,
    role: profile.role,
    base_url: profile.base_url,
    model: profile.model,
    kind: profile.kind,
    provider: profile.provider,
    context_window: shown(profile.context_window),
    'parameters.temperature': shown(parameters.temperature),
    'parameters.top_p': shown(parameters.top_p),
    'parameters.max_tokens': shown(parameters.max_tokens),
    'parameters.reasoning_effort': parameters.reasoning_effort ?? '',
    'prices.input': shown(prices?.input),
    'prices.cached_input': shown(prices?.cached_input),
    'prices.output': shown(prices?.output),
    images: profile.images === undefined ? 'auto' : profile.images ? 'yes' : 'no',
    resume: profile.resume,
    fallbacks: profile.fallbacks,
    enabled: profile.enabled,
  };
}

interface NumberRule {
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
}

const numbers: Partial<Record<Field, NumberRule>> = {
  context_window: { least: 512, most: 10_000_000, whole: true },
  'parameters.temperature': { least: 0, most: 2, whole: false },
  'parameters.top_p': { least: 0, most: 1, whole: false },
  'parameters.max_tokens': { least: 1, most: 1_000_000, whole: true },
  'prices.input': { least: 0, most: 1_000_000, whole: false },
  'prices.cached_input': { least: 0, most: 1_000_000, whole: false },
  'prices.output': { least: 0, most: 1_000_000, whole: false },
};

const word = /^[a-z0-9_][a-z0-9._-]{0,63}$/;

/** What each field takes, as a sentence. */
function rule(field: Field): string {
  const number = numbers[field];
  if (number) return texts.rules.number(number.whole, number.least, number.most);
  switch (field) {
    case 'name': case 'role': case 'provider': return texts.rules.word;
    case 'base_url': return texts.rules.base_url;
    case 'model': return texts.rules.model;
    case 'parameters.reasoning_effort': return texts.rules.effort;
    case 'resume': return texts.rules.resume;
    case 'fallbacks': return texts.rules.fallbacks;
    default: return texts.rules.other;
  }
}

export function validate(form: ProfileForm): FieldErrors {
  const errors: FieldErrors = {};
  const refuse = (field: Field) => (errors[field] = rule(field));
  if (!word.test(form.name)) refuse('name');
  if (form.role !== '' && !word.test(form.role)) refuse('role');
  if (form.provider !== '' && !word.test(form.provider)) refuse('provider');
  if (!/^https?:\/\/[!-~]+$/i.test(form.base_url.trim())) refuse('base_url');
  if (form.model.trim() === '' || form.model.length > 256) refuse('model');
  if (form['parameters.reasoning_effort'].length > 64) refuse('parameters.reasoning_effort');
  if (form.fallbacks.length > 8) refuse('fallbacks');
  // Unasked, it would begin anew, and its words would be put behind those that are there.
  if (form.resume === 'prefill' && form.kind === 'openai_responses') refuse('resume');
  for (const [field, { least, most, whole }] of Object.entries(numbers)) {
    const text = (form[field as Field] as string).trim();
    const value = Number(text);
    const good = value >= least && value <= most && (!whole || Number.isInteger(value));
    if (text !== '' && !good) refuse(field as Field);
  }
  return errors;
}

/**
 * The body that stores the form. A profile is set as a whole: what `before` has and the form does
 * not show goes along.
 */
export function bodyOf(form: ProfileForm, before: ModelProfile | null): Record<string, unknown> {
  const number = (field: Field) => {
    const text = (form[field] as string).trim();
    return text === '' ? undefined : Number(text);
  };
  const text = (value: string) => value.trim() || undefined;
  const prices = {
    input: number('prices.input'),
    cached_input: number('prices.cached_input'),
    output: number('prices.output'),
  };
  const priced = Object.values(prices).some((price) => price !== undefined);
  return {
    role: text(form.role),
    provider: text(form.provider),
    kind: form.kind === 'auto' ? undefined : form.kind,
    // The schema tells http:// and HTTP:// apart.
    base_url: form.base_url.trim().replace(/^[a-z]+/i, (scheme) => scheme.toLowerCase()),
    model: form.model.trim(),
    parameters: {
      temperature: number('parameters.temperature'),
      top_p: number('parameters.top_p'),
      max_tokens: number('parameters.max_tokens'),
      reasoning_effort: text(form['parameters.reasoning_effort']),
      stop: before?.parameters.stop,
      extra: before?.parameters.extra,
    },
    images: form.images === 'auto' ? undefined : form.images === 'yes',
    resume: form.resume,
    context_window: number('context_window'),
    prices: priced ? prices : undefined,
    fallbacks: form.fallbacks,
    enabled: form.enabled,
    preferred: before?.preferred,
  };
}

/** Hosts whose providers the server knows by name. */
const known: readonly (readonly [ending: string, provider: string])[] = [
  ['api.openai.com', 'openai'], ['api.anthropic.com', 'anthropic'],
  ['generativelanguage.googleapis.com', 'google'], ['api.mistral.ai', 'mistral'],
  ['api.groq.com', 'groq'], ['openrouter.ai', 'openrouter'], ['api.deepseek.com', 'deepseek'],
  ['api.together.xyz', 'together'], ['openai.azure.com', 'azure'],
];

function hostOf(address: string): string {
  try {
    return new URL(address.trim()).host.toLowerCase();
  } catch {
    return '';
  }
}

function knownProvider(address: string): string {
  const host = hostOf(address).replace(/:\d+$/, '');
  return known.find(([ending]) => host === ending || host.endsWith(`.${ending}`))?.[1] ?? '';
}

/**
 * Under what name the key for an address is kept where nobody said otherwise. The server would put
 * all that it does not know under one name, and send the key of one to the others.
 */
export function providerOf(address: string): string {
  const own = hostOf(address).replace(/[^a-z0-9.]+/g, '-').replace(/^[^a-z0-9]+/, '').slice(0, 64);
  return knownProvider(address) || own;
}

/**
 * Another address may be another provider: what the profile said of the one before goes, unless
 * the reader chose it in this form.
 */
export function withAddress(form: ProfileForm, address: string, before: ModelProfile | null): ProfileForm {
  const left = { ...form, base_url: address };
  const isOld = before !== null && form.provider === before.provider && form.kind === before.kind;
  const isDerived = form.provider === '' || form.provider === providerOf(form.base_url);
  if (before !== null && address === before.base_url) {
    return isOld || isDerived ? { ...left, provider: before.provider, kind: before.kind } : left;
  }
  if (isOld) return { ...left, provider: providerOf(address), kind: 'auto', images: 'auto' };
  // A quick start for a server of one's own says what it is, wherever it listens.
  return isDerived || knownProvider(address) !== '' ? { ...left, provider: providerOf(address) } : left;
}

/** The addresses that the key of this provider is sent to by other profiles, or by this one so far. */
export function otherAddresses(
  form: ProfileForm, profiles: readonly ModelProfile[], before: ModelProfile | null,
): readonly string[] {
  const here = hostOf(form.base_url);
  // It is sent there already: nothing new comes of saving.
  if (before !== null && before.provider === form.provider && hostOf(before.base_url) === here) return [];
  const others = profiles.filter((one) => one.provider === form.provider).map((one) => one.base_url);
  if (others.some((address) => hostOf(address) === here)) return [];
  return [...new Set(others)];
}

export interface Refusal {
  readonly fields: FieldErrors;
  /** What belongs to no field; empty when all does. */
  readonly general: string;
}

/** Brings what the server refused to the fields it is about. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Problem)) return { fields: {}, general: sentence(error) };
  if (error.code === 'profile.exists') {
    return { fields: { name: texts.rules.nameTaken }, general: '' };
  }
  const fields: FieldErrors = {};
  for (const { field, detail } of error.fields) {
    if (!(field in emptyForm)) continue;
    // A schema's validator speaks of patterns and constraints; the rule says what is meant.
    fields[field as Field] = error.code === 'request.invalid'
      ? rule(field as Field)
      : asSentence(detail.replace(/^base URL: /, ''));
  }
  return { fields, general: Object.keys(fields).length > 0 ? '' : sentence(error) };
}

export interface Difference {
  readonly label: string;
  readonly was: string;
  readonly is: string;
}

export function differences(before: ModelProfile, after: ModelProfile): Difference[] {
  const [was, is] = [formOf(before), formOf(after)];
  return (Object.keys(texts.labels) as Field[])
    .map((field) => ({ label: labelOf(field), was: said(was[field]), is: said(is[field]) }))
    .filter((each) => each.was !== each.is);
}

function said(value: ProfileForm[Field]): string {
  if (typeof value === 'boolean') return value ? texts.conflict.yes : texts.conflict.no;
  return (typeof value === 'string' ? value : value.join(', ')) || texts.conflict.notSet;
}

/** Which profile answers chats: the preferred one, the one called default, the first of that role. */
export function chatProfile(profiles: readonly ModelProfile[]): ModelProfile | undefined {
  const fit = profiles.filter(mayAnswerChats);
  const preferred = fit.filter((profile) => profile.preferred === true);
  return preferred.find((profile) => profile.source === 'tenant') ?? preferred[0] ??
    fit.find((profile) => profile.name === 'default') ?? fit[0];
}

export function mayAnswerChats(profile: ModelProfile): boolean {
  return profile.enabled && profile.role === 'dialogue';
}
