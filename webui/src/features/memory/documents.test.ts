import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Memory } from '../../kernel/api/types';
import { FakeApi } from '../../testing/fake_api';
import { FakeEventSource, fakePage } from '../../testing/fake_page';
import type { KnownDocument } from './memory_api';

let page: ReturnType<typeof fakePage>;
let api: FakeApi;
let workspace: import('../../kernel/workspace').Workspace;
let shelf: import('./documents').Documents;
let forgets: import('./forgets').Forgets;
let list: import('./memory_list').MemoryList;
let toasts: import('../../kernel/toasts').Toasts;
let undo: import('../../kernel/undo').Undo;
let tenant: import('../../kernel/tenant').Tenant;

const settle = () => vi.advanceTimersByTimeAsync(0);
const day = (n: number) => `2026-01-0${n}T00:00:00.000Z`;
const document = (id: string, imported = 1): KnownDocument => ({
  attachment_id: id, filename: `${id}.md`, session_id: null, passages: 3, bytes: 3_000, imported_at: day(imported), owner: 'a',
});
const passage = (id: string, of: string, made = 1): Memory => ({
  memory_id: id, kind: 'knowledge', text: id, tags: [], importance: 0.5, pinned: false, owner: 'a', attachment_id: of,
  created_at: day(made), updated_at: day(made), state: 'stored',
});
const names = () => shelf.value.value?.documents.map(({ attachment_id: id }) => id) ?? null;
const changed = () => (tenant as unknown as { tell: (what: string) => void }).tell('memory.changed');

beforeEach(async () => {
  vi.useFakeTimers();
  page = fakePage();
  vi.stubGlobal('EventSource', FakeEventSource);
  api = new FakeApi();
  vi.resetModules();
  const { Workspace } = await import('../../kernel/workspace');
  workspace = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
  shelf = workspace.of((await import('./documents')).Documents);
  forgets = workspace.of((await import('./forgets')).Forgets);
  list = workspace.of((await import('./memory_list')).MemoryList);
  toasts = workspace.of((await import('../../kernel/toasts')).Toasts);
  undo = workspace.of((await import('../../kernel/undo')).Undo);
  tenant = workspace.of((await import('../../kernel/tenant')).Tenant);
});

afterEach(() => {
  workspace.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('documents: all pages are read, the newest come first, an empty page is not the last', async () => {
  shelf.watch();
  await api.answer(/^GET memory\/documents\?limit=200$/, { documents: [document('a', 1), document('b', 3)], next_cursor: 'b' });
  await api.answer(/limit=200&cursor=b$/, { documents: [], next_cursor: 'c' });
  await api.answer(/cursor=c$/, { documents: [document('d', 2)] });
  expect([names(), shelf.value.value?.isAll]).toEqual([['b', 'd', 'a'], true]);
});

test('documents: of very many not all are read, and it says so', async () => {
  shelf.watch();
  for (let i = 0; i < 10; i++) {
    await api.answer(/^GET memory\/documents/, { documents: [document(`a${i}`)], next_cursor: `a${i}` });
  }
  expect(api.asked).toEqual([]);
  expect([names()?.length, shelf.value.value?.isAll]).toEqual([10, false]);
});

test('documents: while they are looked at they are read again when the server tells of a change, once for many', async () => {
  changed();
  await settle();
  expect(api.asked).toEqual([]);
  const leave = shelf.watch();
  const first = await api.next(/^GET memory\/documents/);
  for (let i = 0; i < 9; i++) changed();
  first.answer({ documents: [document('a')] });
  await api.answer(/^GET memory\/documents/, { documents: [document('a'), document('b', 2)] });
  expect([names(), api.asked]).toEqual([['b', 'a'], []]);
  leave();
  changed();
  await settle();
  expect(api.asked).toEqual([]);
});

test('documents: what cannot be read is told of, and what was read stays', async () => {
  shelf.watch();
  await api.answer(/^GET/, { documents: [document('a')] });
  changed();
  await api.answer(/^GET/, { code: 'policy.denied', detail: 'rule memory.read: no' }, 403);
  expect(shelf.problem.value).toContain('does not allow');
  expect(names()).toEqual(['a']);
});

test('forgetting a document: its passages go with it at once, and come back by an undo', async () => {
  list.look((await import('./filter')).filterOf({}));
  const memories = [passage('p1', 'a'), passage('p2', 'b'), { ...passage('p3', 'a'), kind: 'message' as const }];
  await api.answer(/^GET memories/, { memories, next_cursor: null });
  const shown = () => list.shown.value?.map(({ memory_id: id }) => id);
  forgets.forgetDocumentWithUndo(document('a'));
  expect([shown(), forgets.hasDocument('a', day(1))]).toEqual([['p2', 'p3'], true]);
  expect(toasts.shown.value[0]?.text).toBe('“a.md” is forgotten.');
  toasts.act(toasts.shown.value[0]?.id ?? 0);
  expect(shown()).toEqual(['p1', 'p2', 'p3']);

  forgets.forgetDocumentWithUndo(document('a'));
  await vi.advanceTimersByTimeAsync(8_100);
  await api.answer(/^DELETE memory\/documents\/a$/, { forgotten: 3 });
  // An answer that was on its way brings nothing back; what is kept anew is there.
  expect(forgets.has(passage('p1', 'a'))).toBe(true);
  expect([forgets.has(passage('p1', 'a', 2)), forgets.hasDocument('a', day(2))]).toEqual([false, false]);
});

test('forgetting documents: one after another, and again where the server is busy', async () => {
  for (const id of ['a', 'b', 'c']) forgets.forgetDocumentWithUndo(document(id));
  void undo.finish();
  const busy = { code: 'server.busy', detail: 'other documents are being forgotten' };
  await api.answer(/\/a$/, busy, 503);
  expect(api.asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(500);
  await api.answer(/\/a$/, { forgotten: 3 });
  // Somebody else was first; and one that cannot be forgotten is there again, and holds up no other.
  await api.answer(/\/b$/, { code: 'memory.not_found', detail: 'no' }, 404);
  await api.answer(/\/c$/, { code: 'storage.full', detail: 'no' }, 507);
  expect(['a', 'b', 'c'].map((id) => forgets.hasDocument(id, day(1)))).toEqual([true, true, false]);
  expect(toasts.shown.value.map(({ look }) => look)).toEqual(['bad']);
});

test('forgetting documents: a page that is closed sends all, and their requests outlive it', async () => {
  for (const id of ['a', 'b']) forgets.forgetDocumentWithUndo(document(id));
  page.window.dispatchEvent(new Event('pagehide'));
  for (const id of ['a', 'b']) expect((await api.next(new RegExp(`/${id}$`))).init.keepalive).toBe(true);
});

test('forgetting documents: a session that ended sends nothing', async () => {
  forgets.forgetDocumentWithUndo(document('a'));
  workspace.isLive.value = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect([api.asked, forgets.hasDocument('a', day(1))]).toEqual([[], false]);
});
