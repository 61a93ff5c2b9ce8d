import { beforeEach, expect, test } from 'vitest';

import { forgetPositions, notePosition, positions } from './position';

beforeEach(forgetPositions);

test('the greatest offset of each partition is sent', () => {
  expect(positions(0)).toBe('');
  notePosition('3.42', 0);
  notePosition('0.7', 0);
  notePosition('3.40', 1);
  expect(positions(2)).toBe('3.42, 0.7');
});

test('what is no position is not sent on', () => {
  for (const said of [null, '', '3', '3.', '.3', '-1.2', '1.2, 3.4', '1.x\r\nA: b']) notePosition(said, 0);
  expect(positions(0)).toBe('');
});

test('after a minute every node has read it, and a log that has less is not waited for', () => {
  notePosition('3.42', 0);
  expect(positions(59_999)).toBe('3.42');
  expect(positions(60_000)).toBe('');
  notePosition('3.42', 0);
  notePosition('3.5', 60_000);
  expect(positions(60_001)).toBe('3.5');
});

test('no more are kept than a node looks at', () => {
  for (let partition = 0; partition < 100; partition++) notePosition(`${partition}.1`, 0);
  const all = positions(0).split(', ');
  expect(all).toHaveLength(64);
  expect(all.at(-1)).toBe('99.1');
});
