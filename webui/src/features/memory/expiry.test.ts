import { expect, test } from 'vitest';
import { always, dayOf, expiresAt, expiryOf, isAhead, isSame } from './expiry';

const now = new Date(2026, 0, 31, 10, 30);
const date = (until: string) => ({ term: 'date', until }) as const;

test('expiry: a term is counted from now, a month ends on a day that there is', () => {
  const at = (term: 'day' | 'week' | 'month') => new Date(expiresAt({ term, until: '' }, now) ?? '');
  expect(expiresAt(always, now)).toBe(null);
  expect(at('day')).toEqual(new Date(2026, 1, 1, 10, 30));
  expect(at('week')).toEqual(new Date(2026, 1, 7, 10, 30));
  expect(at('month')).toEqual(new Date(2026, 1, 28, 10, 30));
});

test('expiry: a day is kept to its end, by the calendar of the reader', () => {
  const end = new Date(2026, 11, 5, 23, 59, 59);
  expect(expiresAt(date('2026-12-05'), now)).toBe(end.toISOString());
  expect(expiryOf(end.toISOString())).toEqual(date('2026-12-05'));
  expect(dayOf(end)).toBe('2026-12-05');
  expect([expiryOf(undefined), expiryOf(null), expiryOf('rubbish')]).toEqual([always, always, always]);
});

test('expiry: what was not chosen anew is no change', () => {
  const before = new Date(2026, 11, 5, 9).toISOString();
  expect([isSame(undefined, always), isSame(before, expiryOf(before))]).toEqual([true, true]);
  expect([isSame(before, always), isSame(before, date('2026-12-06')), isSame(undefined, { term: 'week', until: '' })])
    .toEqual([false, false, false]);
});

test('expiry: a day that has gone by, that there is not, or none, is told from one to come', () => {
  expect(['2026-01-31', '2026-02-01'].map((day) => isAhead(date(day), now))).toEqual([true, true]);
  expect(['2026-01-30', '2026-02-30', '', '31.1.2027'].map((day) => isAhead(date(day), now))).toEqual([false, false, false, false]);
  expect(isAhead({ term: 'day', until: '' }, now)).toBe(true);
});
