import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Memory, MemoryStatus } from '../../kernel/api/types';
import { FakeApi, type Asked } from '../../testing/fake_api';
import { FakeEventSource, fakePage } from '../../testing/fake_page';

let page: ReturnType<typeof fakePage>;
let workspace: import('../../kernel/workspace').Workspace;
let list: import('./memory_list').MemoryList;
let editing: import('./editing').MemoryEditing;
let forgets: import('./forgets').Forgets;
let toasts: import('../../kernel/toasts').Toasts;
let undo: import('../../kernel/undo').Undo;
let tenant: import('../../kernel/tenant').Tenant;
let filterOf: typeof import('./filter').filterOf;
let memoriesAsNdjson: typeof import('./export_memories').memoriesAsNdjson;
let statusWords: typeof import('./memory_health').statusWords;
let hasUnsaved: typeof import('../../kernel/unsaved').hasUnsaved;

let api: FakeApi;
let asked: Asked[];

const memory = (n: number, more: Partial<Memory> = {}): Memory => ({
  memory_id: `m${n}`, kind: 'note', text: `text ${n}`, tags: [], importance: 0.5, pinned: false, owner: 'a',
  created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z', state: 'stored', ...more,
});
const memories = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => memory(from + i));
const settle = () => vi.advanceTimersByTimeAsync(0);
const shown = () => list.shown.value?.map(({ memory_id: id }) => id) ?? null;

const next = (what: RegExp) => api.next(what);
const answer = (...all: Parameters<FakeApi['answer']>) => api.answer(...all);

/** As the server tells of it. */
const changed = () => {
  const told = tenant as unknown as { tell: (what: string) => void };
  told.tell('memory.changed');
};

beforeEach(async () => {
  vi.useFakeTimers();
  page = fakePage();
  vi.stubGlobal('EventSource', FakeEventSource);
  api = new FakeApi();
  ({ asked } = api);
  vi.resetModules();
  const { Workspace } = await import('../../kernel/workspace');
  workspace = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
  ({ filterOf } = await import('./filter'));
  ({ memoriesAsNdjson } = await import('./export_memories'));
  ({ statusWords } = await import('./memory_health'));
  ({ hasUnsaved } = await import('../../kernel/unsaved'));
  list = workspace.of((await import('./memory_list')).MemoryList);
  editing = workspace.of((await import('./editing')).MemoryEditing);
  forgets = workspace.of((await import('./forgets')).Forgets);
  toasts = workspace.of((await import('../../kernel/toasts')).Toasts);
  undo = workspace.of((await import('../../kernel/undo')).Undo);
  tenant = workspace.of((await import('../../kernel/tenant')).Tenant);
});

afterEach(() => {
  workspace.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('memory list: it is read on in pages, and an empty page is not the last', async () => {
  list.look(filterOf({ kind: 'note' }));
  await answer(/^GET memories\?kind=note&limit=50$/, { memories: memories(0, 2), next_cursor: 'c1' });
  await answer(/cursor=c1/, { memories: memories(2, 50), next_cursor: 'c2' });
  expect(list.shown.value).toHaveLength(50);
  const reading = list.readOn();
  await answer(/cursor=c2/, { memories: [], next_cursor: 'c3' });
  await answer(/cursor=c3/, { memories: memories(50, 51), next_cursor: null });
  await reading;
  expect(list.shown.value).toHaveLength(51);
  expect(list.next.value).toBe(null);
});

test('memory list: a change that is told of reads all that was read, once for several', async () => {
  const leave = list.look(filterOf({}));
  await answer(/limit=50$/, { memories: memories(0, 60), next_cursor: null });
  changed();
  changed();
  await answer(/limit=60$/, { memories: [memory(99), ...memories(1, 60)], next_cursor: null });
  expect(asked).toEqual([]);
  expect(shown()?.slice(0, 2)).toEqual(['m99', 'm1']);
  leave();
  changed();
  await settle();
  expect(asked).toEqual([]);
});

test('memory list: an answer to what is not looked for any more changes nothing', async () => {
  const leave = list.look(filterOf({}));
  const late = await next(/limit=50$/);
  leave();
  list.look(filterOf({ q: 'Ada' }));
  late.answer({ memories: memories(0, 3), next_cursor: 'c' });
  await answer(/^GET memories\/search\?q=Ada&limit=100$/, { memories: [memory(7)], degraded: true, why: 'it is being built' });
  expect([shown(), list.next.value, list.degraded.value]).toEqual([['m7'], null, 'it is being built']);
});

test('memory list: what cannot be read is told of, and what was read stays', async () => {
  list.look(filterOf({}));
  await answer(/limit=50$/, { memories: memories(0, 1), next_cursor: null });
  changed();
  await answer(/limit=50$/, { code: 'policy.denied', detail: 'rule memory.read: no' }, 403);
  expect(list.problem.value).toContain('does not allow');
  expect(shown()).toEqual(['m0']);
  list.again();
  await answer(/limit=50$/, { memories: memories(0, 1), next_cursor: null });
  expect(list.problem.value).toBe('');
});

test('memory list: nothing of it is left for whoever signs in next', async () => {
  list.look(filterOf({}));
  await answer(/limit=50$/, { memories: memories(0, 1), next_cursor: null });
  workspace.isLive.value = false;
  expect(shown()).toBe(null);
});

test('forgetting: the server is told when it was not undone, and an answer on its way brings nothing back', async () => {
  list.look(filterOf({}));
  await answer(/limit=50$/, { memories: memories(0, 3), next_cursor: null });
  forgets.forgetWithUndo('m1', 'text 1');
  expect(shown()).toEqual(['m0', 'm2']);
  toasts.act(toasts.shown.value[0]?.id ?? 0);
  expect(shown()).toEqual(['m0', 'm1', 'm2']);

  forgets.forgetWithUndo('m1', 'text 1');
  await vi.advanceTimersByTimeAsync(7_900);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  changed();
  await answer(/^DELETE memories\/m1$/, null, 204);
  await answer(/^GET memories/, { memories: memories(0, 3), next_cursor: null });
  expect(shown()).toEqual(['m0', 'm2']);
});

test('forgetting: a page that is closed keeps nothing, and its request outlives it', async () => {
  forgets.forgetWithUndo('m1', 'text 1');
  page.window.dispatchEvent(new Event('pagehide'));
  const request = await next(/^DELETE memories\/m1$/);
  expect(request.init.keepalive).toBe(true);
});

test('forgetting: a sign-out waits for it; a session that ended sends nothing', async () => {
  forgets.forgetWithUndo('m1', 'text 1');
  let isFinished = false;
  void undo.finish().then(() => (isFinished = true));
  const request = await next(/^DELETE memories\/m1$/);
  expect(isFinished).toBe(false);
  request.answer(null, 204);
  await settle();
  expect(isFinished).toBe(true);

  forgets.forgetWithUndo('m2', 'text 2');
  workspace.isLive.value = false;
  await vi.advanceTimersByTimeAsync(10_000);
  page.window.dispatchEvent(new Event('pagehide'));
  await settle();
  expect(asked).toEqual([]);
  expect([forgets.has(memory(1)), forgets.has(memory(2))]).toEqual([true, false]);
});

test('forgetting: what somebody else forgot is forgotten, and what failed is there again', async () => {
  forgets.forgetWithUndo('m1', 'text 1');
  forgets.forgetWithUndo('m2', 'text 2');
  void undo.finish();
  await answer(/m1$/, { code: 'memory.not_found', detail: 'no' }, 404);
  await answer(/m2$/, { code: 'storage.full', detail: 'no' }, 507);
  expect([forgets.has(memory(1)), forgets.has(memory(2))]).toEqual([true, false]);
  expect(toasts.shown.value.map(({ look }) => look)).toEqual(['bad']);
});

test('editing: only what was changed is sent, for the version that was seen', async () => {
  list.look(filterOf({}));
  await answer(/limit=50$/, { memories: memories(0, 2), next_cursor: null });
  void editing.begin('m1');
  await answer(/^GET memories\/m1$/, memory(1, { tags: ['a', 'b'] }), 200, '"v1"');
  expect(editing.isUnsaved).toBe(false);
  editing.write({ tags: 'a, , c,a ', importance: 0.8 });
  expect([editing.isUnsaved, hasUnsaved()]).toEqual([true, true]);
  const saved = editing.save();
  const request = await next(/^PATCH memories\/m1$/);
  expect(JSON.parse(String(request.init.body))).toEqual({ tags: ['a', 'c'], importance: 0.8 });
  expect(new Headers(request.init.headers).get('If-Match')).toBe('"v1"');
  request.answer(memory(1, { tags: ['a', 'c'], importance: 0.8 }));
  expect(await saved).toBe(true);
  expect(editing.edited.value).toBe(null);
  expect(list.shown.value?.[1]?.tags).toEqual(['a', 'c']);
});

test('editing: what changed meanwhile is shown beside mine, and nothing newer is written over', async () => {
  void editing.begin('m1');
  await answer(/^GET/, memory(1), 200, '"v1"');
  editing.write({ text: 'mine' });
  const first = editing.save();
  await answer(/^PATCH/, { code: 'memory.changed', detail: 'no' }, 412);
  await answer(/^GET memories\/m1$/, memory(1, { text: 'theirs' }), 200, '"v2"');
  expect(await first).toBe(false);
  expect(editing.edited.value?.theirs?.memory.text).toBe('theirs');
  expect(editing.edited.value?.draft.text).toBe('mine');

  const second = editing.saveMine();
  const request = await next(/^PATCH/);
  expect(new Headers(request.init.headers).get('If-Match')).toBe('"v2"');
  request.answer({ code: 'memory.changed', detail: 'no' }, 412);
  await answer(/^GET memories\/m1$/, memory(1, { text: 'newer' }), 200, '"v3"');
  expect(await second).toBe(false);
  expect(editing.edited.value?.theirs?.memory.text).toBe('newer');
  editing.takeTheirs();
  expect([editing.edited.value?.draft.text, editing.isUnsaved]).toEqual(['newer', false]);
});

test('editing: what was forgotten meanwhile can be kept as a note', async () => {
  void editing.begin('m1');
  await answer(/^GET/, memory(1), 200, '"v1"');
  editing.write({ text: ' mine ', tags: 'x' });
  void editing.save();
  await answer(/^PATCH/, { code: 'memory.not_found', detail: 'no' }, 404);
  await answer(/^GET/, { code: 'memory.not_found', detail: 'no' }, 404);
  expect(editing.edited.value?.isGone).toBe(true);
  const kept = editing.keepAsNote();
  const request = await next(/^POST memories$/);
  expect(JSON.parse(String(request.init.body))).toEqual({ text: 'mine', tags: ['x'], importance: 0.5 });
  request.answer(memory(9), 201);
  expect(await kept).toBe(true);
  expect(editing.edited.value).toBe(null);
});

test('editing: how long it is kept is sent where it was changed, and kept for good is told as such', async () => {
  const until = new Date(2099, 11, 5, 23, 59, 59).toISOString();
  editing.beginNote();
  editing.writeNote({ text: 'x', expiry: { term: 'date', until: '2001-01-01' } });
  expect(await editing.keepNote()).toBe(null);
  expect(editing.note.value?.problem).toContain('gone by');
  editing.writeNote({ expiry: { term: 'date', until: '2099-12-05' } });
  const kept = editing.keepNote();
  const request = await next(/^POST memories$/);
  expect(JSON.parse(String(request.init.body))).toEqual({ text: 'x', tags: [], importance: 0.5, expires_at: until });
  request.answer(memory(1, { expires_at: until }), 201);
  await kept;

  void editing.begin('m1');
  await answer(/^GET memories\/m1$/, memory(1, { expires_at: until }), 200, '"v1"');
  expect([editing.edited.value?.draft.expiry, editing.isUnsaved]).toEqual([{ term: 'date', until: '2099-12-05' }, false]);
  editing.write({ expiry: { term: 'always', until: '' } });
  expect(editing.isUnsaved).toBe(true);
  const saved = editing.save();
  const change = await next(/^PATCH memories\/m1$/);
  expect(JSON.parse(String(change.init.body))).toEqual({ expires_at: null });
  change.answer(memory(1));
  expect(await saved).toBe(true);
});

test('editing: a form that cannot be saved says why, and asks nobody', async () => {
  editing.beginNote();
  expect(await editing.keepNote()).toBe(null);
  expect(editing.note.value?.problem).not.toBe('');
  editing.writeNote({ text: 'x', tags: 'y'.repeat(65) });
  expect(await editing.keepNote()).toBe(null);
  expect(editing.note.value?.problem).not.toBe('');
  expect(asked).toEqual([]);
});

test('editing: a note that was noted before is said so; where there is no room, that', async () => {
  editing.beginNote();
  editing.writeNote({ text: 'once' });
  const full = editing.keepNote();
  await answer(/^POST memories$/, { code: 'quota.exceeded', detail: 'memory.items_max' }, 429);
  expect(await full).toBe(null);
  expect(editing.note.value?.problem).toContain('no room');
  const again = editing.keepNote();
  await answer(/^POST memories$/, memory(1), 200);
  expect([await again, editing.note.value]).toEqual([false, null]);
});

test('export: all pages of what fits, a line each', async () => {
  const told: number[] = [];
  const made = memoriesAsNdjson(filterOf({ tag: 'x', q: 'words' }), new AbortController().signal, (n) => told.push(n));
  await answer(/^GET memories\?tag=x&limit=200$/, { memories: memories(0, 2), next_cursor: 'c' });
  await answer(/cursor=c$/, { memories: memories(2, 3), next_cursor: null });
  const { file, count } = await made;
  const lines = (await file.text()).trimEnd().split('\n').map((line) => (JSON.parse(line) as Memory).memory_id);
  expect([lines, count, told]).toEqual([['m0', 'm1', 'm2'], 3, [2, 3]]);
});

test('status: what is as it should be is not said, and what this page does not know is shown', () => {
  const well = {
    stored: 1_234, bytes: 9_000, items_max: 10_000, bytes_max: 0, replicated: 0, waiting: 0, failed: 0, oldest_waiting_s: 0,
    index_lag: 0, replica_lag_s: 0, breaker: 'none' as const, feedback: 'off' as const, degraded: false,
    vectors: { state: 'off' as const, waiting: 0, set_aside: 0, lag_s: 0 },
  };
  expect(statusWords(well)).toEqual(['1,234 memories']);
  const behind = { ...well, waiting: 2, index_lag: 2, oldest_waiting_s: 31.4 };
  expect(statusWords(behind)).toEqual(['1,234 memories', '2 changes wait for the index, the oldest for 31 s']);
  expect(statusWords({ ...well, breaker: 'closed' })).toEqual(['1,234 memories', '0 in SomaBrain']);
  const ill = { ...behind, stored: 1, index_lag: 1, waiting: 7, replicated: 5, failed: 1, replica_lag_s: 4, breaker: 'open' as const };
  expect(statusWords(ill)).toEqual([
    '1 memory', '1 change waits for the index', '5 in SomaBrain', '7 changes wait for SomaBrain, the oldest for 31 s',
    '1 refused by SomaBrain', 'the replica is 4 s behind', 'SomaBrain is away and left alone for a while',
  ]);
  expect(statusWords({ ...well, breaker: 'molten' as 'open' })[2]).toBe('molten');
  // Where room is getting short, which is of memories or of their bytes.
  const room = (more: object) => statusWords({ ...well, ...more })[1] ?? '';
  expect([room({ bytes_max: 10_001 }), room({ bytes_max: 10_000 }), room({ items_max: 1_300 })])
    .toEqual(['', '90 % of the room is taken', '94 % of the room is taken']);
  expect([room({ bytes_max: 9_000 }), room({ items_max: 1_000 })].every((words) => words.startsWith('there is no room'))).toBe(true);
});

test('status: what is found by words alone, for how long, and why, is told in words', () => {
  const of = (vectors: Partial<MemoryStatus['vectors']>) => statusWords({
    stored: 9, bytes: 90, items_max: 1_000, bytes_max: 0, replicated: 0, waiting: 0, failed: 0, oldest_waiting_s: 0,
    index_lag: 0, replica_lag_s: 0, breaker: 'none', feedback: 'off', degraded: false, vectors: { state: 'ready', waiting: 0, set_aside: 0, lag_s: 0, ...vectors },
  }).slice(1);
  expect(of({})).toEqual([]);
  expect(of({ state: 'building', waiting: 3 })).toEqual(['3 memories are found by words alone so far']);
  expect(of({ state: 'building', waiting: 1, lag_s: 119.6 })).toEqual(['1 memory is found by words alone so far, for 120 s']);
  expect(of({ state: 'building', waiting: 10_000, lag_s: 7_300 })).toEqual(['10,000 memories or more are found by words alone so far, for 2 h']);
  expect(of({ state: 'failing', waiting: 2, lag_s: 300, why: 'the provider answered 500.' })).toEqual([
    '2 memories are found by words alone so far, for 5 min',
    'the model that finds by meaning cannot be asked: the provider answered 500',
  ]);
  expect(of({ state: 'failing' })).toEqual(['the model that finds by meaning cannot be asked']);
  expect(of({ set_aside: 1 })).toEqual(['1 memory stays found by words alone: the model that finds by meaning fails at it']);
  expect(of({ set_aside: 12, state: 'building', waiting: 1, lag_s: 400_000 })).toEqual([
    '1 memory is found by words alone so far, for 5 days',
    '12 memories stay found by words alone: the model that finds by meaning fails at them',
  ]);
});
