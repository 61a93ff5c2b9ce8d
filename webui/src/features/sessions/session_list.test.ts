import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SessionInfo, SessionPage } from '../../kernel/api/types';
import { FakeEventSource, fakePage } from '../../testing/fake_page';

let list: import('./session_list').SessionList;
let asked: { url: string; answer: (page: SessionPage) => void; fail: () => void }[];

/** The nth newest of many. */
const row = (n: number, more: Partial<SessionInfo> = {}): SessionInfo => ({
  session_id: `s${n}`, title: `${n}`, created_at: '', last_event_id: '1.5', busy: false,
  updated_at: new Date(Date.UTC(2026, 0, 2) - n * 1_000).toISOString(), ...more,
});
const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => row(from + i));
const settle = () => vi.advanceTimersByTimeAsync(0);
const next = () => {
  const request = asked.shift();
  if (!request) throw new Error('nothing was asked for');
  return request;
};
const shown = () => list.all.value.map((s) => s.session_id);

beforeEach(async () => {
  vi.useFakeTimers();
  fakePage();
  vi.stubGlobal('EventSource', FakeEventSource);
  asked = [];
  vi.stubGlobal('fetch', (url: string) => new Promise((done) => asked.push({
    url, answer: (page) => done(Response.json(page)), fail: () => done(new Response(null, { status: 404 })),
  })));
  vi.resetModules();
  const [{ SessionList }, { Workspace }] = await Promise.all([import('./session_list'), import('../../kernel/workspace')]);
  list = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' }).of(SessionList);
  list.take({ sessions: rows(0, 100) });
  next().answer({ sessions: rows(0, 100), next_cursor: 'c1' });
  await settle();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function readMore(from: number, to: number, cursor: string | null) {
  const reading = list.readMore();
  next().answer({ sessions: rows(from, to), next_cursor: cursor });
  await reading;
}

test('session list: connecting again does not cut it to the newest hundred', async () => {
  await readMore(100, 200, 'c2');
  list.take({ sessions: rows(0, 100).filter((s) => s.session_id !== 's7') });
  expect(list.all.value).toHaveLength(199); // s7 was deleted meanwhile
  next().answer({ sessions: rows(0, 101).filter((s) => s.session_id !== 's7'), next_cursor: 'c1' });
  await settle();
  expect(list.all.value).toHaveLength(199);
});

test('session list: a page under way when it is read anew leaves out none', async () => {
  await readMore(100, 200, 'c2');
  const reading = list.readMore();
  const third = next();
  list.take({ sessions: rows(0, 100) });
  next().answer({ sessions: rows(0, 100), next_cursor: 'c1' });
  await settle();
  third.answer({ sessions: rows(200, 300), next_cursor: 'c3' });
  await reading;
  expect(list.nextCursor.value).toBe('c1');
  expect(list.all.value).toHaveLength(300);
});

test('session list: an older page tells what of it is gone', async () => {
  await readMore(100, 200, 'c2');
  list.take({ sessions: rows(0, 100) });
  next().answer({ sessions: rows(0, 100), next_cursor: 'c1' });
  await settle();
  const reading = list.readMore();
  next().answer({ sessions: rows(100, 201).filter((s) => s.session_id !== 's150'), next_cursor: null });
  await reading;
  expect(shown()).not.toContain('s150');
  expect(list.all.value).toHaveLength(200);
});

test('session list: an answer that was overtaken by the stream changes nothing back', async () => {
  const reading = list.read();
  const late = next();
  list.take({ session: row(3, { title: 'renamed', last_event_id: '1.9' }) });
  list.take({ session: row(-1, { session_id: 'new' }) });
  list.take({ deleted: true, session_id: 's4' });
  late.answer({ sessions: rows(0, 100), next_cursor: 'c1' });
  await reading;
  expect(list.titleOf('s3')).toBe('renamed');
  expect(shown()).toContain('new');
  expect(shown()).not.toContain('s4');
});

test('session list: a later life of the server is newer, whatever it counts', async () => {
  list.take({ session: row(3, { title: 'old life', last_event_id: '1.900' }) });
  const reading = list.read();
  next().answer({ sessions: [row(3, { title: 'new life', last_event_id: '2.1' })], next_cursor: 'c1' });
  await reading;
  expect(list.titleOf('s3')).toBe('new life');
});

test('session list: what is older than it was read is learned, each once, and what cannot be read stays unknown', async () => {
  const learning = list.learn(['s3', 's250', 's250', 's251']);
  await settle();
  expect(asked.map(({ url }) => url.replace(/.*v1\//, ''))).toEqual(['sessions/s250', 'sessions/s251']);
  next().answer(row(250, { title: 'of long ago' }) as unknown as SessionPage);
  next().fail();
  await learning;
  expect([list.titleOf('s250'), list.titleOf('s251'), list.nextCursor.value]).toEqual(['of long ago', '', 'c1']);
});
