import { expect, test } from 'vitest';
import { filterOf, fits, inUse, paramsOf, queryOf } from './filter';
import type { Memory } from '../../kernel/api/types';

test('memory filter: what stands in the address is what was chosen', () => {
  const all = { q: 'some words', kind: 'note', state: 'failed', tag: 'a&b', session: 's1', pinned: true } as const;
  expect(filterOf(paramsOf(all))).toEqual(all);
  expect(paramsOf(filterOf({}))).toEqual({});
  expect(inUse(all)).toBe(5);
  expect(inUse(filterOf({ q: 'words' }))).toBe(0);
});

test('memory filter: an address that somebody wrote asks the server nothing it does not know', () => {
  const odd = filterOf({ kind: 'everything', state: '<b>', pinned: 'perhaps' });
  expect(queryOf(odd).toString()).toBe('');
  expect(queryOf(filterOf({ kind: 'note', session: 's', tag: 'x y', pinned: 'true', q: 'words' })).toString())
    .toBe('kind=note&tag=x+y&session_id=s&pinned=true');
});

test('memory filter: a new note stands in a list that it fits', () => {
  const note = { kind: 'note', state: 'stored', tags: ['home'], pinned: false } as unknown as Memory;
  expect(fits(note, filterOf({}))).toBe(true);
  expect(fits(note, filterOf({ kind: 'note', tag: 'home', state: 'stored' }))).toBe(true);
  for (const params of [{ kind: 'message' }, { tag: 'work' }, { session: 's' }, { pinned: 'true' }, { state: 'failed' }]) {
    expect(fits(note, filterOf(params as unknown as Record<string, string>))).toBe(false);
  }
});
