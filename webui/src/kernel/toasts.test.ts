import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakePage } from '../testing/fake_page';

let box: import('./toasts').Toasts;
let workspace: import('./workspace').Workspace;

beforeEach(async () => {
  vi.useFakeTimers();
  fakePage();
  vi.resetModules();
  const [{ Toasts }, { Workspace }] = await Promise.all([import('./toasts'), import('./workspace')]);
  workspace = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
  box = workspace.of(Toasts);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const texts = () => box.shown.value.map(({ text, count }) => `${text} ${count}`);

test('toasts: the same is counted, not said twice', () => {
  box.say('saved');
  box.say('saved');
  box.say('saved', { look: 'bad' });
  expect(texts()).toEqual(['saved 2', 'saved 1']);
});

test('toasts: two that can be undone are two, whatever they say', () => {
  const undo = () => ({ action: { label: 'Undo', run: () => {} } });
  box.say('deleted', undo());
  box.say('deleted', undo());
  expect(texts()).toEqual(['deleted 1', 'deleted 1']);
});

test('toasts: what can be undone is pushed out by nothing', () => {
  const gone = vi.fn();
  const undo = { action: { label: 'Undo', run: () => {} }, onGone: gone, staysMs: 8_000 };
  for (const name of ['1', '2', '3', '4']) box.say(name, undo);
  for (const text of ['a', 'b', 'c', 'd']) box.say(text, { look: 'bad' });
  expect(gone).not.toHaveBeenCalled();
  expect(texts()).toEqual(['1 1', '2 1', '3 1', '4 1', 'd 1']);
  vi.advanceTimersByTime(8_000);
  expect(gone).toHaveBeenCalledTimes(4);
});

test('toasts: at most three, and the oldest goes', () => {
  for (const text of ['a', 'b', 'c', 'd']) box.say(text, { look: 'bad' });
  expect(texts()).toEqual(['b 1', 'c 1', 'd 1']);
});

test('toasts: a word goes by itself unless it is read, trouble stays', () => {
  const word = box.say('word');
  box.say('trouble', { look: 'bad' });
  box.hold(word);
  vi.advanceTimersByTime(60_000);
  expect(texts()).toEqual(['word 1', 'trouble 1']);
  box.release(word);
  vi.advanceTimersByTime(60_000);
  expect(texts()).toEqual(['trouble 1']);
});

test('toasts: what waits for the end is done once, and not after its action', () => {
  const [gone, undone] = [vi.fn(), vi.fn()];
  const options = { action: { label: 'Undo', run: undone }, onGone: gone, staysMs: 8_000 };
  box.act(box.say('deleted', options));
  vi.advanceTimersByTime(60_000);
  expect([gone, undone].map((f) => f.mock.calls.length)).toEqual([0, 1]);
  box.say('deleted', options);
  vi.advanceTimersByTime(60_000);
  expect(gone).toHaveBeenCalledTimes(1);
  box.dismiss(box.say('deleted', options));
  expect(gone).toHaveBeenCalledTimes(2);
  box.say('deleted', options);
  box.clear();
  expect(gone).toHaveBeenCalledTimes(2);
});

test('toasts: what was promised to one reader is not done once their session ended', () => {
  const gone = vi.fn();
  box.say('deleted', { onGone: gone, staysMs: 8_000 });
  workspace.isLive.value = false;
  vi.advanceTimersByTime(60_000);
  expect(gone).not.toHaveBeenCalled();
  expect(texts()).toEqual([]);
});
