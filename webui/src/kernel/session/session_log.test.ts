import { describe, expect, test } from 'vitest';
import type { Envelope } from '../api/types';
import { foldAll } from './fold';
import { SessionLog } from './session_log';
import { emptySession, type Answer, type SessionState } from './state';
import { Timeline } from './timeline';

const event = (seq: number, type: string, payload: Record<string, unknown> = {}): Envelope =>
  ({ type, payload, meta: { event_id: `1.${seq}` } });

/** A turn of six events: question, request, two pieces, answer, end. */
function turn(seq: number, name: string): Envelope[] {
  const [turn_id, message_id] = [`t${name}`, `m${name}`];
  const both = { turn_id, message_id };
  return [
    event(seq, 'message.user', { turn_id, message_id: turn_id, text: `ask ${name}` }),
    event(seq + 1, 'llm.request', { ...both, model: 'm', attempt: 1 }),
    event(seq + 2, 'llm.delta', { ...both, offset: 0, thinking: `hm ${name}` }),
    event(seq + 3, 'llm.delta', { ...both, offset: 0, text: `say ${name}` }),
    event(seq + 4, 'message.assistant', { ...both, text: `say ${name}`, final: true }),
    event(seq + 5, 'llm.complete', { ...both, finish_reason: 'stop' }),
  ];
}

const all = [event(1, 'session.open', { title: 'T' }), ...turn(2, 'a'), ...turn(8, 'b'), ...turn(14, 'c')];

/** Without what only going back needs. */
const seen = ({ turns, title, headSeq, lastEventId, paused }: SessionState) =>
  JSON.parse(JSON.stringify({ turns, title, headSeq, lastEventId, paused })) as unknown;

const thoughts = (log: SessionLog) => log.state.turns.map((t) => (t.items[0] as Answer).thinking.text);

describe('session log', () => {
  test('read backwards in pages it comes to what reading it from the start does', () => {
    for (let size = 1; size < all.length; size++) {
      const log = new SessionLog();
      for (let end = all.length; end > 0; end -= size) {
        const from = Math.max(0, end - size);
        log.prepend(all.slice(from, end), from === 0 ? null : `1.${from + 1}`);
      }
      expect(seen(log.state)).toEqual(seen(foldAll(emptySession, all)));
      expect(log.older).toBeNull();
    }
  });

  test('what happened since the page was opened stays when an older page is read', () => {
    const log = new SessionLog();
    log.prepend(all.slice(7, 13), '1.8');
    for (const each of all.slice(13)) log.append(each);
    expect(log.state.turns.map((t) => t.id)).toEqual(['tb', 'tc']);
    log.prepend(all.slice(0, 7), null);
    expect(seen(log.state)).toMatchObject({ title: 'T', headSeq: 19 });
    expect(log.state.turns.map((t) => t.id)).toEqual(['ta', 'tb', 'tc']);
    // Pieces of a finished message are let go; what was thought is nowhere else.
    expect(thoughts(log)).toEqual(['hm a', 'hm b', 'hm c']);
  });

  test('a page that begins in the middle of a message is no reason to read anew', () => {
    const log = new SessionLog();
    const middle = event(5, 'llm.delta', { turn_id: 'ta', message_id: 'ma', offset: 90, text: 'x' });
    log.prepend([middle, ...turn(8, 'b')], '1.5');
    expect(log.state.mustReload).toBe(false);
  });

  test('a reset to before what is here means reading anew; to within it, only the rest is dropped', () => {
    const log = new SessionLog();
    log.prepend(all.slice(7, 13), '1.8');
    for (const each of all.slice(13, 16)) log.append(each);
    log.append({ type: 'stream.reset', payload: { from: '1.14' }, meta: {} });
    expect(log.state.mustReload).toBe(false);
    expect(log.state.lastEventId).toBe('1.14');
    log.append({ type: 'stream.reset', payload: { from: '1.3' }, meta: {} });
    expect(log.state.mustReload).toBe(true);
  });

  test('a reset to before what is here means reading anew, also where nothing is finished', () => {
    const log = new SessionLog();
    log.prepend(all.slice(7, 10), '1.8');
    log.append({ type: 'stream.reset', payload: { from: '1.3' }, meta: {} });
    expect(log.state.mustReload).toBe(true);
  });

  test('a reset of all leaves nothing, also nothing to be read backwards', () => {
    const log = new SessionLog();
    log.prepend(all.slice(7, 13), '1.8');
    log.append({ type: 'stream.reset', payload: {}, meta: {} });
    expect(log.state.turns).toEqual([]);
    expect(log.older).toBeNull();
  });

  test('each turn knows where it begins and ends in the log', () => {
    const { turns } = foldAll(emptySession, all);
    expect(turns.map(({ beforeId, firstId, lastId }) => [beforeId, firstId, lastId])).toEqual([
      ['1.1', '1.2', '1.7'], ['1.7', '1.8', '1.13'], ['1.13', '1.14', '1.19'],
    ]);
  });
});

test('timeline: at any count of events it is what these events fold to', () => {
  const many = [event(1, 'session.open')];
  for (let i = 0; i < 120; i++) many.push(...turn(2 + i * 6, `${i}`));
  const timeline = new Timeline(many);
  for (const count of [0, 1, 199, 200, 201, 399, 400, many.length]) {
    expect(seen(timeline.at(count))).toEqual(seen(foldAll(emptySession, many.slice(0, count))));
  }
});
