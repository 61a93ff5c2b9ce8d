import { beforeEach, expect, test, vi } from 'vitest';
import type { SessionInfo } from '../../kernel/api/types';
import { fakePage } from '../../testing/fake_page';

let unread: typeof import('./unread');
let store: Map<string, string>;

const session = (id: string, seq: number, more: Partial<SessionInfo> = {}): SessionInfo => ({
  session_id: id, title: '', created_at: '', updated_at: '2026-01-01T00:00:00.000Z',
  last_event_id: `1.${seq}`, busy: false, ...more,
});

beforeEach(async () => {
  ({ store } = fakePage());
  vi.resetModules();
  unread = await import('./unread');
  (await import('../../kernel/person')).person.value = 't/a';
  unread.startUnread();
});

test('unread: on a first visit nothing is; what comes later is, until it is seen', () => {
  unread.beginUnread([session('a', 5)]);
  expect(unread.isUnread(session('a', 5))).toBe(false);
  const later = session('a', 9, { updated_at: '2026-01-01T00:00:01.000Z' });
  expect(unread.isUnread(later)).toBe(true);
  unread.markSeen('a', 9);
  expect(unread.isUnread(later)).toBe(false);
  expect(unread.isUnread(session('a', 10, { busy: true }))).toBe(false);
  expect(unread.isUnread(session('a', 10))).toBe(true);
});

test('unread: an empty session says nothing new', () => {
  unread.beginUnread([]);
  expect(unread.isUnread(session('b', 1, { message_count: 0 }))).toBe(false);
});

test('unread: what was seen is kept, the newest thousand of it', async () => {
  unread.beginUnread([]);
  for (let i = 0; i < 1_200; i++) unread.markSeen(`s${i}`, 3);
  const { seqs } = JSON.parse(store.get('soma.seen@t/a') ?? '') as { seqs: Record<string, number> };
  expect(Object.keys(seqs)).toHaveLength(1_000);
  expect(seqs.s1199).toBe(3);
  expect(seqs.s0).toBeUndefined();
});
