import { beforeEach, expect, test, vi } from 'vitest';
import { fakePage } from '../testing/fake_page';

let store: Map<string, string>;
let window: EventTarget;

beforeEach(() => {
  vi.useFakeTimers();
  ({ store, window } = fakePage());
});

async function load(who = 't/a'): Promise<typeof import('./drafts')> {
  vi.resetModules();
  const drafts = await import('./drafts');
  (await import('./person')).person.value = who;
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
  expect(store.get('soma.drafts@t/a')).toBe(JSON.stringify([['b', 'for b']]));
});

test('drafts: leaving the page keeps the last letters', async () => {
  const drafts = await load();
  drafts.setDraft('a', 'just typed');
  window.dispatchEvent(new Event('pagehide'));
  expect(store.get('soma.drafts@t/a')).toContain('just typed');
});

test('drafts: what another tab wrote is told of', async () => {
  const drafts = await load();
  drafts.setDraft('a', 'mine');
  const changed: string[] = [];
  drafts.onDraft((chat) => changed.push(chat));
  store.set('soma.drafts@t/a', JSON.stringify([['a', 'theirs']]));
  window.dispatchEvent(Object.assign(new Event('storage'), { key: 'soma.drafts@t/a' }));
  expect(changed).toEqual(['a']);
  expect(drafts.draftOf('a')).toBe('theirs');
});

test('drafts: are of the person who wrote them', async () => {
  const first = await load('t/a');
  first.setDraft('new', 'a secret');
  window.dispatchEvent(new Event('pagehide'));
  expect((await load('t/b')).draftOf('new')).toBe('');
  expect((await load('t/a')).draftOf('new')).toBe('a secret');
});

test('drafts: a text is kept whole or told not to be, and costs no other its place', async () => {
  const drafts = await load();
  drafts.setDraft('a', 'small');
  drafts.setDraft('b', 'x'.repeat(300_000));
  drafts.setDraft('c', 'y'.repeat(10_000_000));
  vi.advanceTimersByTime(1_000);
  expect([...drafts.unkeptDrafts.value]).toEqual(['c']);
  const next = await load();
  expect([next.draftOf('a'), next.draftOf('b').length, next.draftOf('c')]).toEqual(['small', 300_000, '']);
});

test('drafts: a browser without room is told of, and nothing throws', async () => {
  const drafts = await load();
  vi.spyOn(localStorage, 'setItem').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError');
  });
  drafts.setDraft('a', 'text');
  vi.advanceTimersByTime(1_000);
  expect([...drafts.unkeptDrafts.value]).toEqual(['a']);
});
