import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Envelope } from '../api/types';
import { FakeEventSource, fakePage } from '../../testing/fake_page';

type Page = { events: Envelope[]; next_cursor: string | null };

let newStore: () => import('./session_store').SessionStore;
/** Answered in turn; a request without an answer waits. */
let asked: { url: string; answer: (page: Page) => void; fail: (status: number, code: string) => void }[];
let frames: (() => void)[];

const said = (id: string, text: string): Envelope => ({
  meta: { event_id: id, time: '2026-01-01T00:00:00.000Z' }, type: 'message.user',
  payload: { message_id: `m${id}`, message: text, text },
} as unknown as Envelope);
const settle = () => vi.advanceTimersByTimeAsync(0);
const next = () => {
  const request = asked.shift();
  if (!request) throw new Error('nothing was asked for');
  return request;
};

beforeEach(async () => {
  vi.useFakeTimers();
  fakePage();
  asked = [];
  frames = [];
  FakeEventSource.all = [];
  vi.stubGlobal('EventSource', FakeEventSource);
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => frames.push(run));
  vi.stubGlobal('cancelAnimationFrame', () => {});
  vi.stubGlobal('fetch', (url: string) => new Promise((done) => asked.push({
    url,
    answer: (page) => done(Response.json({ session_id: 's', ...page })),
    fail: (status, code) => done(new Response(JSON.stringify({ code }), {
      status, headers: { 'Content-Type': 'application/problem+json' },
    })),
  })));
  vi.resetModules();
  const [{ SessionStore }, { Streams }] = await Promise.all([import('./session_store'), import('../streams/streams')]);
  const streams = new Streams({ ended: new AbortController().signal });
  newStore = () => new SessionStore('s', streams);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function opened(events: Envelope[]) {
  const store = newStore();
  await settle();
  next().answer({ events, next_cursor: null });
  await settle();
  return store;
}

test('session store: what is told while no frames are drawn is shown all the same', async () => {
  const store = await opened([said('1.1', 'one')]);
  // A frame was asked for, and then the tab was hidden: that frame is never drawn.
  expect(frames).not.toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(store.state.value.turns).toHaveLength(1);
  FakeEventSource.last.send('message.user', said('1.2', 'two'), '1.2');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(store.state.value.turns).toHaveLength(2);
});

/** Another tab's stream is at 1.9 when this page joins it: what lies between is read in pages. */
async function inCatchUp() {
  const other = await opened([said('1.1', 'one')]);
  FakeEventSource.last.send('message.user', said('1.9', 'nine'), '1.9');
  const store = await opened([said('1.1', 'one')]);
  expect(asked).toHaveLength(1);
  return { other, store, page: next() };
}

test('session store: reading anew while it catches up leaves no old run behind', async () => {
  const failed: unknown[] = [];
  const listen = (error: unknown) => failed.push(error);
  process.on('unhandledRejection', listen);
  const { store, page } = await inCatchUp();
  // A log that this page cannot go back in: read it anew.
  (store as unknown as { reload(): void }).reload();
  await settle();
  const again = next();
  page.answer({ events: [said('1.5', 'of the old life')], next_cursor: null });
  await settle();
  again.answer({ events: [said('2.1', 'anew')], next_cursor: null });
  await vi.advanceTimersByTimeAsync(1_000);
  vi.useRealTimers();
  await new Promise((done) => setImmediate(done));
  process.off('unhandledRejection', listen);
  expect(failed).toEqual([]);
  expect(store.state.value.turns.map((turn) => turn.user?.text)).toEqual(['anew']);
});

test('session store: what comes while it catches up is put behind it, in order', async () => {
  const { store, page } = await inCatchUp();
  FakeEventSource.last.send('message.user', said('1.10', 'ten'), '1.10');
  page.answer({ events: [said('1.5', 'five'), said('1.9', 'nine')], next_cursor: null });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(store.state.value.turns.map((turn) => turn.user?.text)).toEqual(['one', 'five', 'nine', 'ten']);
});

test('session store: a chat that will never be answered for is told, not waited for', async () => {
  const store = newStore();
  await settle();
  next().fail(403, 'auth.forbidden');
  await settle();
  expect(store.gone.value).toBe(true);
});
