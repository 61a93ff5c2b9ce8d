import { describe, expect, test } from 'vitest';
import type { Envelope } from '../api/types';
import { utf8Length } from './byte_text';
import { canRetry, fold, foldAll, seqOf } from './fold';
import { emptySession, type Answer, type SessionState } from './state';

/** Writes a log as a server would: dense seqs, offsets counted in bytes. */
class Log {
  readonly events: Envelope[] = [];
  private readonly bytes = new Map<string, number>();

  constructor(private seq = 0, private readonly epoch = 3) {}

  add(type: string, payload: Record<string, unknown> = {}): this {
    const event_id = `${this.epoch}.${++this.seq}`;
    this.events.push({ version: 'v1', meta: { event_id, session_id: 's' }, type, payload });
    return this;
  }

  open(): this {
    return this.add('session.open', { title: 'A chat' });
  }

  user(turn: string, text = 'hi'): this {
    return this.add('message.user', { message_id: turn, turn_id: turn, text });
  }

  request(turn: string, message: string, more: Record<string, unknown> = {}): this {
    return this.add('llm.request', {
      message_id: message, turn_id: turn, invocation_id: `i${this.seq}`, attempt: 1, ...more,
    });
  }

  say(turn: string, message: string, ...pieces: string[]): this {
    for (const text of pieces) {
      const offset = this.bytes.get(message) ?? 0;
      this.add('llm.delta', { message_id: message, turn_id: turn, offset, text });
      this.bytes.set(message, offset + utf8Length(text));
    }
    return this;
  }

  answer(turn: string, message: string, text: string, final = true): this {
    return this.add('message.assistant', { message_id: message, turn_id: turn, text, final });
  }

  complete(turn: string, message: string, finish_reason = 'stop'): this {
    return this.add('llm.complete', { message_id: message, turn_id: turn, finish_reason });
  }

  get state(): SessionState {
    return foldAll(emptySession, this.events);
  }
}

function reset(from?: string): Envelope {
  return { meta: {}, type: 'stream.reset', payload: from === undefined ? {} : { from } };
}

function answers(state: SessionState, turn = 0): Answer[] {
  return (state.turns[turn]?.items ?? []).filter((item) => item.kind === 'answer');
}

function said(state: SessionState, turn = 0): string[] {
  return answers(state, turn).map((answer) => answer.text.text);
}

describe('fold', () => {
  test('a turn runs from the message to the final answer', () => {
    const log = new Log().open().user('t1');
    expect(log.state.turns[0]?.status).toBe('queued');
    log.request('t1', 'm1').say('t1', 'm1', 'Hel', 'lo');
    expect(log.state.turns[0]?.status).toBe('running');
    expect(said(log.state)).toEqual(['Hello']);
    log.answer('t1', 'm1', 'Hello').complete('t1', 'm1');
    expect(log.state.turns[0]?.status).toBe('done');
    expect(log.state.title).toBe('A chat');
    expect(canRetry(log.state)).toBe(true);
  });

  test('offsets count bytes, not characters', () => {
    const log = new Log().user('t1').request('t1', 'm1').say('t1', 'm1', 'Grüße ', '世界 ', '👋 ok');
    expect(said(log.state)).toEqual(['Grüße 世界 👋 ok']);
  });

  test('a delta cuts the text to its offset first', () => {
    const log = new Log().user('t1').request('t1', 'm1').say('t1', 'm1', 'né ', '漢字 trailing  ');
    const offset = utf8Length('né 漢字 trailing');
    log.add('llm.delta', { message_id: 'm1', turn_id: 't1', offset, text: ' end' });
    expect(said(log.state)).toEqual(['né 漢字 trailing end']);
  });

  test('a restart begins the message again', () => {
    const log = new Log().user('t1').request('t1', 'm1').say('t1', 'm1', 'half of')
      .complete('t1', 'm1', 'interrupted')
      .add('llm.restart', { message_id: 'm1', turn_id: 't1', attempt: 2, reason: 'interrupted' });
    expect(said(log.state)).toEqual(['']);
    log.request('t1', 'm1', { attempt: 2 })
      .add('llm.delta', { message_id: 'm1', turn_id: 't1', offset: 0, text: 'whole' });
    expect(said(log.state)).toEqual(['whole']);
    expect(answers(log.state)[0]?.attempt).toBe(2);
    expect(log.state.turns[0]?.status).toBe('running');
  });

  test('an interrupted answer goes on in the same message', () => {
    const log = new Log().user('t1').request('t1', 'm1').say('t1', 'm1', 'one ', 'two ')
      .complete('t1', 'm1', 'interrupted').request('t1', 'm1', { attempt: 2 })
      .add('llm.delta', { message_id: 'm1', turn_id: 't1', offset: 7, text: ' three' });
    expect(said(log.state)).toEqual(['one two three']);
  });

  test('thinking is counted apart from text', () => {
    const thinking = { message_id: 'm1', turn_id: 't1' };
    const log = new Log().user('t1').request('t1', 'm1')
      .add('llm.delta', { ...thinking, offset: 0, thinking: 'hmm ' })
      .add('llm.delta', { ...thinking, offset: 4, thinking: 'so' })
      .say('t1', 'm1', 'It is', ' four');
    expect(answers(log.state)[0]?.thinking.text).toBe('hmm so');
    expect(said(log.state)).toEqual(['It is four']);
  });

  test('repeats are ignored, however they come', () => {
    const log = new Log().open().user('t1').request('t1', 'm1').say('t1', 'm1', 'a', 'b', 'c');
    const once = log.state;
    expect(foldAll(once, log.events)).toBe(once);
    expect(fold(once, log.events[4] as Envelope)).toBe(once);
  });

  test('types that are not known change nothing but the position', () => {
    const log = new Log().open().user('t1');
    const before = log.state;
    log.add('app.event', { name: 'x' }).add('something.new', { a: 1 });
    const after = foldAll(before, log.events);
    expect(after.turns).toBe(before.turns);
    expect(after.headSeq).toBe(4);
    expect(after.lastEventId).toBe('3.4');
    expect(fold(after, { meta: {}, type: 'heartbeat', payload: {} })).toBe(after);
  });

  test('a retry drops what its turn had come to', () => {
    const log = new Log().user('t1').request('t1', 'm1')
      .add('tool.call', { tool_call_id: 'c1', turn_id: 't1', tool_id: 'clock', inputs: {} })
      .answer('t1', 'm1', 'first').complete('t1', 'm1')
      .request('t1', 'm2', { supersedes: 'm1' }).say('t1', 'm2', 'sec');
    expect(said(log.state)).toEqual(['sec']);
    expect(log.state.turns[0]?.items).toHaveLength(1);
    expect(log.state.turns[0]?.status).toBe('running');
    // A later step of the same retry names the same answer and drops nothing more.
    log.answer('t1', 'm2', 'second', false).complete('t1', 'm2', 'tool_calls')
      .request('t1', 'm3', { supersedes: 'm1' }).say('t1', 'm3', 'third');
    expect(said(log.state)).toEqual(['second', 'third']);
  });

  test('a retry of one turn leaves the others alone', () => {
    const log = new Log()
      .user('t1').request('t1', 'm1').answer('t1', 'm1', 'one').complete('t1', 'm1')
      .user('t2').request('t2', 'm2').answer('t2', 'm2', 'two').complete('t2', 'm2')
      .request('t2', 'm3', { supersedes: 'm2' }).say('t2', 'm3', 'zwei');
    expect(said(log.state, 0)).toEqual(['one']);
    expect(said(log.state, 1)).toEqual(['zwei']);
  });

  test('queued messages keep their order while an answer goes on', () => {
    const log = new Log().user('t1').request('t1', 'm1').say('t1', 'm1', 'a')
      .user('t2').user('t3').say('t1', 'm1', 'b');
    expect(log.state.turns.map((turn) => turn.status)).toEqual(['running', 'queued', 'queued']);
    expect(said(log.state)).toEqual(['ab']);
  });

  test('a stop keeps the partial text', () => {
    const log = new Log().user('t1').request('t1', 'm1').say('t1', 'm1', 'partly')
      .answer('t1', 'm1', 'partly').complete('t1', 'm1', 'cancelled');
    expect(said(log.state)).toEqual(['partly']);
    expect(log.state.turns[0]?.status).toBe('stopped');
  });

  test('a failed turn says why, and a new try clears it', () => {
    const log = new Log().user('t1').request('t1', 'm1').answer('t1', 'm1', '')
      .complete('t1', 'm1', 'error')
      .add('error', { turn_id: 't1', code: 'llm.unreachable', detail: 'no route', retryable: true });
    expect(log.state.turns[0]?.status).toBe('failed');
    expect(log.state.turns[0]?.items.at(-1)).toMatchObject({ kind: 'failure', detail: 'no route' });
    log.request('t1', 'm2').say('t1', 'm2', 'ok');
    expect(log.state.turns[0]?.items.some((item) => item.kind === 'failure')).toBe(false);
    expect(log.state.turns[0]?.status).toBe('running');
  });

  test('an attempt that failed is not the end of its turn', () => {
    const error = { code: 'llm.unreachable', detail: 'refused', retryable: true };
    const log = new Log().user('t1').request('t1', 'm1')
      .add('llm.complete', { message_id: 'm1', turn_id: 't1', finish_reason: 'error', error });
    expect(log.state.turns[0]?.status).toBe('running');
    log.request('t1', 'm1', { attempt: 2 }).say('t1', 'm1', 'ok').answer('t1', 'm1', 'ok')
      .complete('t1', 'm1');
    expect(log.state.turns[0]?.status).toBe('done');
  });

  test('a stop while a tool runs ends the turn as stopped', () => {
    const log = new Log().user('t1').request('t1', 'm1').answer('t1', 'm1', 'let me see', false)
      .add('tool.call', { tool_call_id: 'c', turn_id: 't1', tool_id: 'clock' })
      .complete('t1', 'm1', 'tool_calls')
      .add('tool.result', { tool_call_id: 'c', turn_id: 't1', status: 'cancelled' })
      .answer('t1', 'm2', '');
    expect(log.state.turns[0]?.status).toBe('stopped');
  });

  test('the same failure told twice is shown once', () => {
    const error = { code: 'llm.auth', detail: 'refused', retryable: false };
    const log = new Log().user('t1').request('t1', 'm1').answer('t1', 'm1', '')
      .add('llm.complete', { message_id: 'm1', turn_id: 't1', finish_reason: 'error', error })
      .add('error', { turn_id: 't1', ...error });
    const failures = log.state.turns[0]?.items.filter((item) => item.kind === 'failure');
    expect(failures).toHaveLength(1);
  });

  test('a tool call gathers its progress and its result', () => {
    const log = new Log().user('t1').request('t1', 'm1')
      .add('tool.call', { tool_call_id: 'c', turn_id: 't1', tool_id: 'calculator', inputs: { a: 1 } })
      .add('tool.progress', { tool_call_id: 'c', turn_id: 't1', stream: 'stdout', text: 'wo' })
      .add('tool.progress', { tool_call_id: 'c', turn_id: 't1', stream: 'stdout', text: 'rk' })
      .add('tool.result', {
        tool_call_id: 'c', turn_id: 't1', status: 'error', error: { detail: 'no' }, duration_ms: 3,
      });
    expect(log.state.turns[0]?.items.at(-1)).toMatchObject({
      kind: 'tool', toolId: 'calculator', progress: 'work', status: 'error', error: 'no',
      durationMs: 3,
    });
  });

  test('state tells of pause and title', () => {
    const log = new Log().open().add('session.state', { paused: true, title: 'Renamed' });
    expect(log.state).toMatchObject({ paused: true, title: 'Renamed' });
    expect(log.add('session.state', { paused: false }).state).toMatchObject({
      paused: false, title: 'Renamed',
    });
  });

  test('a deleted session is known as such, a reset one is empty', () => {
    const log = new Log().open().user('t1');
    expect(new Log().open().add('session.close', { reason: 'deleted' }).state.deleted).toBe(true);
    const after = log.add('session.close', { reason: 'reset' }).state;
    expect(after.turns).toEqual([]);
    expect(after.deleted).toBe(false);
  });

  test('a reset without a position drops everything', () => {
    const log = new Log().open().user('t1').request('t1', 'm1').say('t1', 'm1', 'x');
    expect(fold(log.state, reset())).toBe(emptySession);
    const reopened = new Log(9, 4).open();
    expect(foldAll(fold(log.state, reset()), reopened.events).title).toBe('A chat');
  });

  test('a reset drops what came after its position, and the new past is taken up', () => {
    const log = new Log().open().user('t1').request('t1', 'm1').answer('t1', 'm1', 'one')
      .complete('t1', 'm1').user('t2').request('t2', 'm2').say('t2', 'm2', 'lost ', 'words');
    const kept = foldAll(emptySession, log.events.slice(0, 8));
    const back = fold(log.state, reset('3.8'));
    expect(back).toEqual(kept);
    expect(said(back, 1)).toEqual(['lost ']);
    const later = new Log(8, 4).add('llm.restart', { message_id: 'm2', turn_id: 't2' })
      .say('t2', 'm2', 'found');
    expect(said(foldAll(back, later.events), 1)).toEqual(['found']);
  });

  test('a reset to the head changes nothing', () => {
    const log = new Log().open().user('t1');
    const state = log.state;
    expect(fold(state, reset('3.2'))).toBe(state);
  });

  test('a reset behind the last answer asks for the log again', () => {
    const log = new Log().open().user('t1').request('t1', 'm1').say('t1', 'm1', 'a')
      .answer('t1', 'm1', 'a').complete('t1', 'm1');
    const back = fold(log.state, reset('3.2'));
    expect(back.mustReload).toBe(true);
    expect(back.turns).toEqual([]);
    expect(back.headSeq).toBe(0);
  });

  test('a piece that does not join what is known asks for the log again', () => {
    const log = new Log().user('t1').request('t1', 'm1')
      .add('llm.delta', { message_id: 'm1', turn_id: 't1', offset: 10, text: 'tail' });
    expect(log.state.mustReload).toBe(true);
  });

  test('a compact log folds to the same turns as the whole one', () => {
    const log = new Log().open().user('t1').request('t1', 'm1').say('t1', 'm1', 'a', 'b', 'c')
      .answer('t1', 'm1', 'abc').complete('t1', 'm1').user('t2');
    const compact = log.events.filter((event) => event.type !== 'llm.delta');
    const from = foldAll(emptySession, compact);
    expect(said(from)).toEqual(said(log.state));
    expect(from.turns.map((turn) => turn.status)).toEqual(['done', 'queued']);
    expect(from.headSeq).toBe(log.state.headSeq);
  });

  test('cut anywhere and read on from the last id, it folds to the same', () => {
    const log = new Log().open().user('t1').request('t1', 'm1').say('t1', 'm1', 'ä', 'ö', 'ü')
      .answer('t1', 'm1', 'äöü').complete('t1', 'm1').user('t2').request('t2', 'm2')
      .say('t2', 'm2', '漢', '字');
    for (let at = 0; at <= log.events.length; at++) {
      const first = foldAll(emptySession, log.events.slice(0, at));
      const overlap = Math.max(0, at - 2); // a server may send again what was in flight
      expect(foldAll(first, log.events.slice(overlap)).turns).toEqual(log.state.turns);
    }
  });

  test('a state that was folded from is left as it was', () => {
    const log = new Log().user('t1').request('t1', 'm1').say('t1', 'm1', 'a');
    const before = log.state;
    const copy = JSON.stringify(before);
    fold(before, log.say('t1', 'm1', 'b').events.at(-1) as Envelope);
    expect(JSON.stringify(before)).toBe(copy);
  });

  test('that something was thought is known from the end of a compact answer', () => {
    const thought = (more: Record<string, unknown>) => {
      const log = new Log().user('t1').request('t1', 'm1').answer('t1', 'm1', 'yes');
      log.add('llm.complete', { message_id: 'm1', turn_id: 't1', finish_reason: 'stop', ...more });
      return answers(log.state)[0]?.thought;
    };
    expect(thought({ thinking_bytes: 7 })).toBe(true);
    expect(thought({ usage: { reasoning_tokens: 7 } })).toBe(true);
    expect(thought({ usage: { completion_tokens: 7 } })).toBe(false);
    expect(thought({ thinking_bytes: 'much', usage: null })).toBe(false);
  });

  test('feedback belongs to its answer, the latest of each reader, whoever wrote the log', () => {
    const log = new Log().user('t1').request('t1', 'm1').answer('t1', 'm1', 'yes').complete('t1', 'm1')
      .user('t2').request('t2', 'm2').answer('t2', 'm2', 'no').complete('t2', 'm2');
    const bare = log.state.turns;
    const rate = (who: string, data: unknown, name = 'soma.feedback') => {
      log.add('app.event', { name, data });
      (log.events.at(-1) as Envelope).meta.user_id = who;
    };
    for (const odd of [null, 7, [], {}, { message_id: 'm1', rating: 'good' }, { message_id: 'x', rating: 'helpful' }]) {
      rate('ann', odd);
    }
    rate('ann', { message_id: 'm1', rating: 'helpful' }, 'my.event');
    expect(log.state.turns).toEqual(bare);
    rate('ann', { message_id: 'm1', rating: 'not_helpful', tags: ['wrong', 7, ''], comment: 'no' });
    rate('bob', { message_id: 'm1', rating: 'helpful', tags: 'x', comment: 7 });
    rate('ann', { message_id: 'm1', rating: 'helpful', tags: ['clear'], comment: '' });
    expect(answers(log.state)[0]?.feedback).toEqual({
      ann: { rating: 'helpful', tags: ['clear'], comment: '' },
      bob: { rating: 'helpful', tags: [], comment: '' },
    });
    expect(answers(log.state, 1)[0]?.feedback).toEqual({});
    expect(log.state.turns.map((turn) => turn.lastId)).toEqual(bare.map((turn) => turn.lastId));
  });

  test('ids compare by seq', () => {
    expect([seqOf('3.42'), seqOf('17.9'), seqOf(undefined), seqOf('x')]).toEqual([42, 9, 0, 0]);
  });
});

test('fold: what was recalled belongs to its turn, as it was told, and stays through a retry', () => {
  const item = {
    memory_id: 'm', score: 1, text: 'Ada', kind: 'message', session_id: 'x', message_id: 'y', created_at: '2026-01-01T00:00:00Z',
    place: { page: 3 },
  };
  const log = new Log().open().user('t1')
    .add('memory.recall', { turn_id: 't1', query: 'hi', items: [item, 'odd'], degraded: true, reason: 'late' })
    .request('t1', 'a').answer('t1', 'a', 'Ada').complete('t1', 'a')
    .request('t1', 'b', { supersedes: 'a' }).user('t2').add('memory.recall', { turn_id: 't2', items: 'odd' });
  expect(log.state.turns.map(({ recalled }) => recalled)).toEqual([
    {
      items: [{
        memoryId: 'm', text: 'Ada', kind: 'message', sessionId: 'x', messageId: 'y', createdAt: '2026-01-01T00:00:00Z', place: { page: 3 },
      }],
      degraded: true, reason: 'late',
    },
    { items: [], degraded: false, reason: '' },
  ]);
});
