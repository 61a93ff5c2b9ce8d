import { beforeEach, expect, test, vi } from 'vitest';
import type { SessionInfo } from '../../kernel/api/types';
import { fakePage } from '../../testing/fake_page';

let unread: import('./unread').Unread;
let store: Map<string, string>;

const session = (id: string, seq: number, more: Partial<SessionInfo> = {}): SessionInfo => ({
  session_id: id, title: '', created_at: '', updated_at: '2026-01-01T00:00:00.000Z',
  last_event_id: `1.${seq}`, busy: false, ...more,
});

beforeEach(async () => {
  ({ store } = fakePage());
  vi.resetModules();
  const [{ Unread }, { Workspace }] = await Promise.all([import('./unread'), import('../../kernel/workspace')]);
  unread = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' }).of(Unread);
});

test('unread: on a first visit nothing is; what comes later is, until it is seen', () => {
  unread.begin([session('a', 5)]);
  expect(unread.has(session('a', 5))).toBe(false);
  const later = session('a', 9, { updated_at: '2026-01-01T00:00:01.000Z' });
  expect(unread.has(later)).toBe(true);
  unread.mark('a', 9);
  expect(unread.has(later)).toBe(false);
  expect(unread.has(session('a', 10, { busy: true }))).toBe(false);
  expect(unread.has(session('a', 10))).toBe(true);
});

test('unread: an empty session says nothing new', () => {
  unread.begin([]);
  expect(unread.has(session('b', 1, { message_count: 0 }))).toBe(false);
});

test('unread: what was seen is kept, the newest thousand of it', async () => {
  unread.begin([]);
  for (let i = 0; i < 1_200; i++) unread.mark(`s${i}`, 3);
  const { seqs } = JSON.parse(store.get('soma.seen@t/a') ?? '') as { seqs: Record<string, number> };
  expect(Object.keys(seqs)).toHaveLength(1_000);
  expect(seqs.s1199).toBe(3);
  expect(seqs.s0).toBeUndefined();
});
