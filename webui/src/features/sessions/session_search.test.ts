import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SessionInfo, SessionPage } from '../../kernel/api/types';
import { FakeEventSource, fakePage } from '../../testing/fake_page';

let list: import('./session_list').SessionList;
let search: import('./session_search').SessionSearch;
let asked: { url: string; answer: (page: SessionPage) => void; fail: () => void }[];

const row = (id: string, title: string): SessionInfo => ({
  session_id: id, title, created_at: '', last_event_id: '1.5', busy: false, updated_at: '2026-01-02T00:00:00Z',
});
const found = () => search.shown.value.map(({ session_id }) => session_id);
const questions = () => asked.filter(({ url }) => url.includes('q='));

beforeEach(async () => {
  vi.useFakeTimers();
  fakePage();
  vi.stubGlobal('EventSource', FakeEventSource);
  asked = [];
  vi.stubGlobal('fetch', (url: string) => new Promise((done) => asked.push({
    url, answer: (page) => done(Response.json(page)), fail: () => done(Response.json({ code: 'server.busy' }, { status: 503 })),
  })));
  vi.resetModules();
  const [{ SessionList }, { SessionSearch }, { Workspace }] = await Promise.all([
    import('./session_list'), import('./session_search'), import('../../kernel/workspace')]);
  const workspace = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
  list = workspace.of(SessionList);
  search = workspace.of(SessionSearch);
  // The stream's snapshot is here, the first page is still on its way.
  list.take({ sessions: [row('s1', 'Another')] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('session search: what is looked for before the list was read is asked of the server', async () => {
  search.search('needle');
  expect(search.isAsking.value).toBe(true);
  await vi.advanceTimersByTimeAsync(200);
  expect(questions()).toHaveLength(1);
  questions()[0]?.answer({ sessions: [row('s9', 'The Needle')], next_cursor: null });
  await vi.advanceTimersByTimeAsync(0);
  expect(found()).toEqual(['s9']);
  expect(search.isAsking.value).toBe(false);
});

test('session search: a list that was read to its end is all there is', async () => {
  asked.shift()?.answer({ sessions: [row('s1', 'Another')], next_cursor: null });
  await vi.advanceTimersByTimeAsync(0);
  search.search('needle');
  expect(search.isAsking.value).toBe(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(questions()).toHaveLength(0);
});

test('session search: a question that failed is asked again, and nothing is said before its answer', async () => {
  search.search('needle');
  await vi.advanceTimersByTimeAsync(200);
  questions()[0]?.fail();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(search.isAsking.value).toBe(true);
  expect(questions().length).toBeGreaterThan(1);
  questions().at(-1)?.answer({ sessions: [row('s9', 'The Needle')], next_cursor: null });
  await vi.advanceTimersByTimeAsync(0);
  expect(found()).toEqual(['s9']);
});
