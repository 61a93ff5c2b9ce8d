import { beforeAll, expect, test } from 'vitest';
import type { Envelope } from '../api/types';
import { fakePage } from '../../testing/fake_page';

let thoughtsIn: typeof import('./thoughts').thoughtsIn;

beforeAll(async () => {
  fakePage();
  ({ thoughtsIn } = await import('./thoughts'));
});

let seq = 0;
const piece = (message_id: string, offset: number, more: Record<string, unknown>, type = 'llm.delta'): Envelope =>
  ({ meta: { event_id: `1.${++seq}` }, type, payload: { message_id, turn_id: 't', offset, ...more } });

test('thoughts are put together from their pieces, of one answer, and start over with it', () => {
  const pieces = [
    piece('a', 0, { thinking: 'first try' }), piece('a', 0, {}, 'llm.restart'),
    piece('a', 0, { thinking: 'hé, ' }), piece('b', 0, { thinking: 'other' }),
    piece('a', 5, { thinking: 'well' }), piece('a', 0, { text: 'said' }),
  ];
  expect(thoughtsIn(pieces, 'a')).toBe('hé, well');
  expect(thoughtsIn(pieces, 'b')).toBe('other');
  expect(thoughtsIn(pieces, 'c')).toBe('');
});
