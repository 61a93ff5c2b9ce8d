import { beforeEach, expect, test, vi } from 'vitest';
import { fakePage } from '../testing/fake_page';

let store: Map<string, string>;
let window: EventTarget;

beforeEach(() => {
  vi.useFakeTimers();
  ({ store, window } = fakePage());
});

/** A life of the page. */
async function load(who = 'a'): Promise<import('./drafts').Drafts> {
  vi.resetModules();
  const [{ Drafts }, { Workspace }] = await Promise.all([import('./drafts'), import('./workspace')]);
  return new Workspace({ tenant_id: 't', user_id: who, role: 'user' }).of(Drafts);
}

test('drafts: one a chat, found again in the next life of the page', async () => {
  const first = await load();
  first.set('a', 'for a');
  first.set('b', 'for b');
  vi.advanceTimersByTime(1_000);
  const next = await load();
  expect([next.of('a'), next.of('b'), next.of('c')]).toEqual(['for a', 'for b', '']);
  next.set('a', '');
  expect(store.get('soma.drafts@t/a')).toBe(JSON.stringify([['b', 'for b']]));
});

test('drafts: leaving the page keeps the last letters', async () => {
  const drafts = await load();
  drafts.set('a', 'just typed');
  window.dispatchEvent(new Event('pagehide'));
  expect(store.get('soma.drafts@t/a')).toContain('just typed');
});

test('drafts: what another tab wrote is told of', async () => {
  const drafts = await load();
  drafts.set('a', 'mine');
  const changed: string[] = [];
  drafts.onChange((chat) => changed.push(chat));
  store.set('soma.drafts@t/a', JSON.stringify([['a', 'theirs']]));
  window.dispatchEvent(Object.assign(new Event('storage'), { key: 'soma.drafts@t/a' }));
  expect(changed).toEqual(['a']);
  expect(drafts.of('a')).toBe('theirs');
});

test('drafts: are of the person who wrote them', async () => {
  const first = await load('a');
  first.set('new', 'a secret');
  window.dispatchEvent(new Event('pagehide'));
  expect((await load('b')).of('new')).toBe('');
  expect((await load('a')).of('new')).toBe('a secret');
});

test('drafts: a text is kept whole or told not to be, and costs no other its place', async () => {
  const drafts = await load();
  drafts.set('a', 'small');
  drafts.set('b', 'x'.repeat(300_000));
  drafts.set('c', 'y'.repeat(10_000_000));
  vi.advanceTimersByTime(1_000);
  expect([...drafts.unkept.value]).toEqual(['c']);
  const next = await load();
  expect([next.of('a'), next.of('b').length, next.of('c')]).toEqual(['small', 300_000, '']);
});

test('drafts: a browser without room is told of, and nothing throws', async () => {
  const drafts = await load();
  vi.spyOn(localStorage, 'setItem').mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError');
  });
  drafts.set('a', 'text');
  vi.advanceTimersByTime(1_000);
  expect([...drafts.unkept.value]).toEqual(['a']);
});
