import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Envelope } from '../api/types';
import { fold, foldAll } from './fold';
import { SessionLog } from './session_log';
import { emptySession, isOver, type Answer, type Failure, type Item, type SessionState, type ToolCall } from './state';

/** Logs that the server's fold and this one must make the same of; README.md there says the format. */
const folder = new URL('../../../../tests/golden/session_logs/', import.meta.url);
const names = readdirSync(folder).filter((file) => file.endsWith('.ndjson')).map((file) => file.replace('.ndjson', ''));

const logOf = (name: string) => readFileSync(new URL(`${name}.ndjson`, folder), 'utf8')
  .trimEnd().split('\n').map((line) => JSON.parse(line) as Envelope);

function wanted(name: string): Record<string, unknown> {
  const file = new URL(`${name}.json`, folder);
  if (process.env.UPDATE_GOLDEN === '1') {
    const { about } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { about: '' };
    writeFileSync(file, `${JSON.stringify({ about, ...seen(foldAll(emptySession, logOf(name))) }, null, 2)}\n`);
  }
  const { about, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
  expect(about).not.toBe('');
  return rest;
}

const isAnswer = (item: Item): item is Answer => item.kind === 'answer';
const isTool = (item: Item): item is ToolCall => item.kind === 'tool';
const isFailure = (item: Item): item is Failure => item.kind === 'failure';

function seen(state: SessionState) {
  return {
    head: state.lastEventId,
    title: state.title,
    paused: state.paused,
    deleted: state.deleted,
    turns: state.turns.map((turn) => {
      const answers = turn.items.filter(isAnswer);
      return {
        turn_id: turn.id,
        text: turn.user?.text ?? '',
        attachments: (turn.user?.attachments ?? []).map(({ id }) => id),
        state: isOver(turn) ? 'over' : turn.status === 'queued' ? 'waiting' : 'running',
        said: answers.filter(({ text }) => text.text !== '').map(({ id, text }) => ({ message_id: id, text: text.text })),
        tools: turn.items.filter(isTool).map(({ id, toolId, status }) => ({ tool_call_id: id, tool_id: toolId, status })),
        page: {
          ended: isOver(turn) ? turn.status : null,
          failures: turn.items.filter(isFailure).map(({ code }) => code),
          thinking: Object.fromEntries(answers.filter(({ thinking }) => thinking.bytes > 0).map(({ id, thinking }) => [id, thinking.bytes])),
          finish: Object.fromEntries(answers.map(({ id, finish }) => [id, finish])),
          ...(turn.recalled ? { recalled: turn.recalled.items.map(({ memoryId }) => memoryId), degraded: turn.recalled.degraded } : {}),
        },
      };
    }),
  };
}

test.each(names)('golden log %s: what must be seen of it is seen', (name) => {
  expect(seen(foldAll(emptySession, logOf(name)))).toEqual(wanted(name));
});

test.each(names)('golden log %s: read on from anywhere, and with events told twice, it is the same', (name) => {
  const events = logOf(name);
  const whole = seen(foldAll(emptySession, events));
  for (let at = 0; at < events.length; at++) {
    const until = foldAll(emptySession, events.slice(0, at));
    expect(seen(foldAll(until, events.slice(Math.max(0, at - 3))))).toEqual(whole);
  }
});

test.each(names)('golden log %s: read backwards in pages it is the same', (name) => {
  const events = logOf(name);
  const log = new SessionLog();
  for (let end = events.length; end > 0; end -= 4) {
    log.prepend(events.slice(Math.max(0, end - 4), end), end > 4 ? String(end) : null);
  }
  expect(seen(log.state)).toEqual(seen(foldAll(emptySession, events)));
});

test('golden logs: a compact reading shows the same turns, but for what was thought', () => {
  const bare = (name: string) => seen(foldAll(emptySession, logOf(name))).turns
    .map(({ page, ...turn }) => ({ ...turn, page: { ...page, thinking: {} } }));
  expect(bare('conversation_compact')).toEqual(bare('conversation'));
});

test('golden logs: what is folded from is left as it was', () => {
  const events = logOf('killed');
  const before = foldAll(emptySession, events.slice(0, 6));
  const as = JSON.stringify(seen(before));
  fold(before, events[6] as Envelope);
  expect(JSON.stringify(seen(before))).toBe(as);
});
