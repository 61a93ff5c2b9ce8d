import { expect, test } from 'vitest';
import { filterOf, inUse, paramsOf, queryOf } from './filter';

test('filter: it stands in the address as far as it is in use, and nothing else does', () => {
  const filter = filterOf({ who: 'ann', what: 'memory.*', from: '2026-11-30T08:00', nobody: 'knows' });
  expect(paramsOf(filter)).toEqual({ who: 'ann', what: 'memory.*', from: '2026-11-30T08:00' });
  expect(filterOf(paramsOf(filter))).toEqual(filter);
  expect([inUse(filter), inUse(filterOf({}))]).toEqual([3, 0]);
});

test('filter: the API is asked in its own words, and times are of the whole world', () => {
  const query = queryOf(filterOf({ session: ' s/1 ', request: 'r&2', to: '2026-11-30T08:00' }));
  expect(Object.fromEntries(query)).toEqual({
    session_id: 's/1', request_id: 'r&2', to: new Date('2026-11-30T08:00').toISOString(),
  });
});

test('filter: what is no time is none', () => {
  expect(filterOf({ from: 'yesterday', to: '' })).toEqual(filterOf({}));
});
