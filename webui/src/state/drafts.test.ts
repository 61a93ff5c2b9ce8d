import { beforeEach, expect, test, vi } from 'vitest';
import { fakePage } from '../testing/fake_page';

let store: Map<string, string>;
let window: EventTarget;

beforeEach(() => {
  vi.useFakeTimers();
  ({ store, window } = fakePage());
});

async function load(): Promise<typeof import('./drafts')> {
  vi.resetModules();
  const drafts = await import('./drafts');
  drafts.startDrafts();
  return drafts;
}

test('drafts: one a chat, found again in the next life of the page', async () => {
  const first = await load();
  first.setDraft('a', 'for a');
  first.setDraft('b', 'for b');
  vi.advanceTimersByTime(1_000);
  const next = await load();
  expect([next.draftOf('a'), next.draftOf('b'), next.draftOf('c')]).toEqual(['for a', 'for b', '']);
  next.setDraft('a', '');
  expect(store.get('soma.drafts')).toBe(JSON.stringify([['b', 'for b']]));
});

test('drafts: leaving the page keeps the last letters', async () => {
  const drafts = await load();
  drafts.setDraft('a', 'just typed');
  window.dispatchEvent(new Event('pagehide'));
  expect(store.get('soma.drafts')).toContain('just typed');
});

test('drafts: what another tab wrote is told of', async () => {
  const drafts = await load();
  drafts.setDraft('a', 'mine');
  const changed: string[] = [];
  drafts.onDraft((chat) => changed.push(chat));
  store.set('soma.drafts', JSON.stringify([['a', 'theirs']]));
  window.dispatchEvent(Object.assign(new Event('storage'), { key: 'soma.drafts' }));
  expect(changed).toEqual(['a']);
  expect(drafts.draftOf('a')).toBe('theirs');
});
