import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { changeElsewhere, fakePage } from '../testing/fake_page';

let page: ReturnType<typeof fakePage>;
let box: typeof import('./person');

beforeEach(async () => {
  vi.useFakeTimers();
  page = fakePage();
  vi.resetModules();
  box = await import('./person');
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('person: names do not run into one another', () => {
  const name = (tenant_id: string, user_id: string) => box.nameOfPerson({ tenant_id, user_id, role: 'user' });
  expect(name('a/b', 'c')).not.toBe(name('a', 'b/c'));
  expect(name('a', 'b@#')).toBe('a/b%40%23');
});

test('person: nothing goes out while somebody may be signing in, in any tab', () => {
  box.tellSignedIn('t/a', true);
  expect(box.isSignedInAs('t/a')).toBe(true);
  const takeBack = box.beginEntering();
  expect(box.isSignedInAs('t/a')).toBe(false);
  box.tellSignedIn('t/a', true); // an answer that was on its way before
  expect(box.isSignedInAs('t/a')).toBe(false);
  takeBack();
  expect(box.isSignedInAs('t/a')).toBe(true);
  changeElsewhere(page, 'soma.person', 't/b');
  expect(box.isSignedInAs('t/a')).toBe(false);
});

test('person: a sign-in that was left in the middle holds up nobody for good', () => {
  box.beginEntering();
  vi.advanceTimersByTime(120_000);
  box.tellSignedIn('t/a', true);
  expect(box.isSignedInAs('t/a')).toBe(true);
});

test('person: what a sign-in held up is told of when it is over, or its tab is gone', () => {
  const heard: string[] = [];
  box.onKnown(() => heard.push('known'), new AbortController().signal);
  box.onLeftInTheMiddle(() => heard.push('left'));
  box.beginEntering()();
  box.tellSignedIn('t/a', false);
  expect(heard).toEqual(['known', 'known']);
  vi.advanceTimersByTime(120_000);
  expect(heard).toHaveLength(2);
  changeElsewhere(page, 'soma.person', `?${Date.now()}`);
  vi.advanceTimersByTime(59_000);
  expect(heard).toHaveLength(2);
  vi.advanceTimersByTime(2_000);
  expect(heard).toEqual(['known', 'known', 'left']);
});

test('person: a refused sign-in does not take back what was told since it began', () => {
  box.tellSignedIn('t/a', false);
  const takeBack = box.beginEntering();
  changeElsewhere(page, 'soma.person', 't/b');
  takeBack();
  expect(page.store.get('soma.person')).toBe('t/b');
});

test('person: a sign-in of another time, by a clock that was set, holds up nobody', () => {
  page.store.set('soma.person', `?${Date.now() + 3_600_000}`);
  box.tellSignedIn('t/a', true);
  expect(page.store.get('soma.person')).toBe('t/a');
});

test('person: another tab’s signing in and out is told of', () => {
  const heard: (string | null)[] = [];
  box.onOtherTab((name) => heard.push(name));
  for (const value of ['t/b', '?1', '-']) changeElsewhere(page, 'soma.person', value);
  expect(heard).toEqual(['t/b', null]);
});

test('person: what is old and has no name goes to who was signed in all along, or to nobody', () => {
  page.store.set('soma.drafts', 'x');
  box.nameWhatIsOld('t/a', true);
  expect([...page.store]).toEqual([['soma.drafts@t/a', 'x']]);
  page.store.set('soma.seen', 'y');
  box.nameWhatIsOld('t/b', false);
  expect([...page.store]).toEqual([['soma.drafts@t/a', 'x']]);
});
