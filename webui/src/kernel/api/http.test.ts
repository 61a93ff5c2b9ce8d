import { beforeAll, describe, expect, test, vi } from 'vitest';
import { fakePage } from '../../testing/fake_page';

let http: typeof import('./http');

beforeAll(async () => {
  fakePage();
  http = await import('./http');
});

describe('what a problem says of fields', () => {
  test('a pointer becomes a path, once, and a member’s parents are left out', () => {
    expect(http.fieldsOf({
      errors: [
        { pointer: '/parameters/temperature', detail: 'at most 2' },
        { pointer: '/parameters/temperature', detail: 'a second word on it' },
        { pointer: '/parameters', detail: 'its parent' },
        { pointer: '/fallbacks/3', detail: 'no such name' },
        { pointer: '', detail: 'the whole' },
      ],
    })).toEqual([
      { field: 'parameters.temperature', detail: 'at most 2' },
      { field: 'fallbacks', detail: 'no such name' },
    ]);
  });

  test('a field beside the detail is not said twice', () => {
    expect(http.fieldsOf({ field: 'base_url', detail: 'base_url: the host is not valid' }))
      .toEqual([{ field: 'base_url', detail: 'the host is not valid' }]);
    expect(http.fieldsOf({ field: '/fo', detail: 'The member /fo is not known here' }))
      .toEqual([{ field: 'fo', detail: 'The member /fo is not known here' }]);
  });

  test('what is no problem+json has none', () => {
    expect(http.fieldsOf({})).toEqual([]);
    expect(http.fieldsOf({ errors: [null, 3, { pointer: 1 }] })).toEqual([]);
  });
});

describe('a request', () => {
  test('sends If-Match as it was given, and answers the new tag', async () => {
    const fetched = vi.fn(async () => Response.json({ a: 1 }, { headers: { ETag: '"two"' } }));
    vi.stubGlobal('fetch', fetched);
    const answer = await http.requestTagged('x', { method: 'PUT', body: {}, ifMatch: '"one"' });
    expect(answer).toEqual({ body: { a: 1 }, etag: '"two"' });
    const init = (fetched.mock.calls[0] as unknown as [string, RequestInit])[1];
    expect(new Headers(init.headers).get('If-Match')).toBe('"one"');
  });

  test('says what its answers rested on, so that another node has read as much', async () => {
    const fetched = vi.fn(async () => Response.json({}, { headers: { 'Soma-Position': '3.42' } }));
    vi.stubGlobal('fetch', fetched);
    await http.request('x');
    await http.request('y');
    const sent = (fetched.mock.calls as unknown as [string, RequestInit][])
      .map(([, init]) => new Headers(init.headers).get('Soma-Position'));
    expect(sent).toEqual([null, '3.42']);
  });
});
