import { beforeAll, describe, expect, test } from 'vitest';
import type { ModelProfile } from '../../kernel/api/types';
import { fakePage } from '../../testing/fake_page';

let form: typeof import('./profile_form');
let http: typeof import('../../kernel/api/http');
let quick: typeof import('./quick_start');

beforeAll(async () => {
  fakePage();
  form = await import('./profile_form');
  http = await import('../../kernel/api/http');
  quick = await import('./quick_start');
});

const profile: ModelProfile = {
  name: 'fast', role: 'dialogue', provider: 'local', kind: 'openai_chat', model: 'm',
  base_url: 'http://127.0.0.1:1/v1',
  parameters: { temperature: 0, max_tokens: 100, stop: ['END'], extra: { seed: 1 } },
  images: true, resume: 'prefill', context_window: 4096, prices: { input: 1, cached_input: 0.5, output: 2 },
  fallbacks: ['other'], enabled: false, source: 'tenant',
};

/** As it goes over the wire: what is undefined is not there. */
const sent = (body: unknown) => JSON.parse(JSON.stringify(body));

describe('a profile through its form', () => {
  test('comes out as it went in, with what the form does not show', () => {
    const { name: _, source: __, ...rest } = profile;
    expect(sent(form.bodyOf(form.formOf(profile), profile))).toEqual(rest);
  });

  test('what is left empty is not sent, and a nought is not empty', () => {
    const body = sent(form.bodyOf({
      ...form.emptyForm, name: 'n', model: ' m ', base_url: ' HTTPS://api.example.com/v1 ',
      'parameters.temperature': '0',
    }, null));
    expect(body).toEqual({
      role: 'dialogue', model: 'm', base_url: 'https://api.example.com/v1',
      parameters: { temperature: 0 }, resume: 'restart', fallbacks: [], enabled: true,
    });
  });

  test('another address lets go of the provider and kind that went with the one before', () => {
    const before = form.formOf(profile);
    const moved = form.withAddress(before, 'https://api.openai.com/v1', profile);
    expect([moved.provider, moved.kind]).toEqual(['openai', 'auto']);
    const chosen = form.withAddress({ ...before, provider: 'mine' }, 'https://a.test', profile);
    expect([chosen.provider, chosen.kind]).toEqual(['mine', 'openai_chat']);
    expect(form.withAddress(before, profile.base_url, profile)).toEqual(before);
    const there = form.withAddress(moved, profile.base_url, profile);
    expect([there.provider, there.kind]).toEqual([profile.provider, profile.kind]);
    const fresh = { ...form.emptyForm, provider: 'vllm', base_url: 'http://localhost:8000/v1' };
    expect(form.withAddress(fresh, 'http://gpu:8000/v1', null).provider).toBe('vllm');
    expect(form.withAddress(fresh, 'https://api.openai.com/v1', null).provider).toBe('openai');
  });

  test('a key is filed under its address, letter by letter, until the reader names a provider', () => {
    let typed = form.emptyForm;
    for (let n = 1; n <= 'http://127.0.0.1:1234/v1'.length; n++) {
      typed = form.withAddress(typed, 'http://127.0.0.1:1234/v1'.slice(0, n), null);
    }
    expect(typed.provider).toBe('127.0.0.1-1234');
    expect(form.withAddress(typed, 'http://[::1]:11434/v1', null).provider).toBe('1-11434');
    expect(form.withAddress(typed, 'https://my.openai.azure.com/', null).provider).toBe('azure');
    expect(form.withAddress(typed, 'http://' + 'long.'.repeat(30), null).provider.length).toBe(64);
    expect(form.withAddress({ ...typed, provider: 'mine' }, 'http://b', null).provider).toBe('mine');
    for (const address of ['http://127.0.0.1:1234', 'http://under_score.test', 'http://[fe80::1]']) {
      const filled = { ...form.emptyForm, name: 'n', model: 'm', base_url: address };
      expect(form.validate({ ...filled, provider: form.providerOf(address) })).toEqual({});
    }
  });

  test('a key that would go to another address is asked about, one that goes there already is not', () => {
    const at = (base_url: string, name = 'a') => ({ ...profile, name, provider: 'p', base_url });
    const here = { ...form.emptyForm, provider: 'p', base_url: 'http://b:1/v1' };
    expect(form.otherAddresses(here, [at('http://a:1/v1')], null)).toEqual(['http://a:1/v1']);
    expect(form.otherAddresses(here, [at('http://a:1/v1')], at('http://a:1/v1'))).toEqual(['http://a:1/v1']);
    expect(form.otherAddresses(here, [at('http://b:1/other'), at('http://a:1')], null)).toEqual([]);
    expect(form.otherAddresses(here, [at('http://a:1')], at('http://b:1/v2', 'b'))).toEqual([]);
    expect(form.otherAddresses({ ...here, provider: 'q' }, [at('http://a:1')], null)).toEqual([]);
  });
});

describe('validation', () => {
  const wrong = (change: Partial<import('./profile_form').ProfileForm>) =>
    Object.keys(form.validate({ ...form.formOf(profile), ...change }));

  test('takes what the server takes', () => {
    expect(wrong({})).toEqual([]);
    expect(wrong({ role: '', provider: '', context_window: '', name: '0_a.b-c' })).toEqual([]);
    expect(wrong({ 'parameters.temperature': '2', 'parameters.top_p': '.5' })).toEqual([]);
  });

  test.each([
    ['name', ''], ['name', 'Fast'], ['name', '-a'], ['name', 'a'.repeat(65)], ['role', 'a b'],
    ['provider', 'Ä'], ['base_url', 'example.com'], ['base_url', 'http://a b'], ['base_url', ''],
    ['model', ' '], ['context_window', '511'], ['context_window', '1000.5'],
    ['parameters.temperature', '2.1'], ['parameters.temperature', 'warm'],
    ['parameters.top_p', '-1'], ['parameters.max_tokens', '0'], ['prices.input', '-1'],
    ['prices.output', '1,5'],
  ] as const)('refuses %s “%s”', (field, value) => {
    expect(wrong({ [field]: value })).toEqual([field]);
  });
});

test('an API that cannot go on from a text is not asked to', () => {
  const given = { ...form.formOf(profile), kind: 'openai_responses' as const };
  expect(Object.keys(form.validate(given))).toEqual(['resume']);
  expect(form.validate({ ...given, resume: 'restart' })).toEqual({});
});

describe('what the server refuses', () => {
  const problem = (status: number, code: string, detail: string, fields: object[] = []) =>
    new http.Problem(status, code, detail, 'r', fields as never);

  test('is said at its field, in words', () => {
    const refusal = form.refusalOf(problem(422, 'profile.invalid', 'x', [
      { field: 'base_url', detail: 'base URL: a query or fragment is not allowed' },
    ]));
    expect(refusal).toEqual({
      fields: { base_url: 'A query or fragment is not allowed.' }, general: '',
    });
  });

  test('a validator’s words give way to what the field takes', () => {
    const { fields } = form.refusalOf(problem(422, 'request.invalid', 'x', [
      { field: 'parameters.temperature', detail: 'Expected number less than or equal to 2.000000' },
    ]));
    expect(fields).toEqual({ 'parameters.temperature': 'A number from 0 to 2.' });
  });

  test('what no field is about is said of the whole', () => {
    expect(form.refusalOf(problem(400, 'request.unknown_field', 'The member /x is not known here', [
      { field: 'x', detail: '' },
    ]))).toEqual({ fields: {}, general: 'The member /x is not known here.' });
    expect(form.refusalOf(new http.NoAnswer('fetch'))).toEqual({
      fields: {}, general: 'The server cannot be reached.',
    });
  });

  test('a name that is taken is said at the name', () => {
    expect(Object.keys(form.refusalOf(problem(409, 'profile.exists', 'x')).fields)).toEqual(['name']);
  });
});

test('differences: what changed, by the form’s labels', () => {
  const after: ModelProfile = {
    ...profile, model: 'n', enabled: true, fallbacks: [], parameters: { max_tokens: 100 },
  };
  expect(form.differences(profile, after)).toEqual([
    { label: 'Model', was: 'm', is: 'n' },
    { label: 'Temperature', was: '0', is: 'not set' },
    { label: 'Fallbacks', was: 'other', is: 'not set' },
    { label: 'Enabled', was: 'no', is: 'yes' },
  ]);
});

test('chats are answered by default, else by the first that may', () => {
  const on = { ...profile, enabled: true };
  const [a, b] = [{ ...on, name: 'a' }, { ...on, name: 'b' }];
  const standard = { ...on, name: 'default' };
  expect(form.chatProfile([a, b, standard])).toBe(standard);
  expect(form.chatProfile([a, b, { ...standard, enabled: false }])).toBe(a);
  expect(form.chatProfile([a, { ...standard, role: 'summarize' }])).toBe(a);
  expect(form.chatProfile([{ ...a, role: 'embed' }])).toBeUndefined();
  const chosen = { ...b, preferred: true };
  expect(form.chatProfile([a, chosen, standard])).toBe(chosen);
  expect(form.chatProfile([a, { ...chosen, enabled: false }, standard])).toBe(standard);
  const ofServer = { ...standard, preferred: true, source: 'configuration' as const };
  expect(form.chatProfile([ofServer, chosen])).toBe(chosen);
  expect(form.bodyOf(form.formOf(chosen), chosen).preferred).toBe(true);
});

test('every quick start fills a form that only wants its model', () => {
  for (const { name, fills } of quick.quickStarts) {
    const filled = { ...form.emptyForm, name: 'n', model: 'm', ...fills };
    expect(form.validate(filled), name).toEqual({});
    expect(filled.kind, name).not.toBe('auto');
  }
});
