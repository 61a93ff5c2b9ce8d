import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeEventSource, fakePage } from '../testing/fake_page';

let workspace: import('./workspace').Workspace;
let thing: import('./resource').Resource<{ n: number }>;
let asked: { answer: (n: number) => void; fail: () => void }[];

const settle = () => vi.advanceTimersByTimeAsync(0);
const stream = () => FakeEventSource.last;
const next = () => {
  const request = asked.shift();
  if (!request) throw new Error('nothing was asked for');
  return request;
};

beforeEach(async () => {
  vi.useFakeTimers();
  fakePage();
  FakeEventSource.all = [];
  asked = [];
  vi.stubGlobal('EventSource', FakeEventSource);
  vi.stubGlobal('fetch', () => new Promise((done) => asked.push({
    answer: (n) => done(Response.json({ n }, { headers: { ETag: `"${n}"` } })),
    fail: () => done(new Response('{}', { status: 500 })),
  })));
  vi.resetModules();
  const [{ Workspace }, { Resource }] = await Promise.all([import('./workspace'), import('./resource')]);
  class Thing extends Resource<{ n: number }> {
    constructor(own: typeof workspace) {
      super(own, { path: 'thing', changedBy: ['settings.changed'] });
    }
  }
  workspace = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
  thing = workspace.of(Thing);
  await settle();
});

afterEach(() => {
  workspace.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('resource: it is asked for when somebody looks, and again when the server tells of a change', async () => {
  expect(asked).toEqual([]);
  const stop = thing.watch();
  next().answer(1);
  await settle();
  expect([thing.value.value, thing.etag]).toEqual([{ n: 1 }, '"1"']);
  stream().send('settings.changed', {});
  await settle();
  next().answer(2);
  await settle();
  expect(thing.value.value).toEqual({ n: 2 });
  stream().send('catalog.changed', {});
  stop();
  stream().send('settings.changed', {});
  await settle();
  expect(asked).toEqual([]);
});

test('resource: of two answers the one that was asked for later counts', async () => {
  void thing.read();
  void thing.read();
  const [early, late] = [next(), next()];
  late.answer(2);
  await settle();
  early.answer(1);
  await settle();
  expect(thing.value.value).toEqual({ n: 2 });
});

test('resource: what is known stays where it cannot be read anew, and why is told', async () => {
  void thing.read();
  next().answer(1);
  await settle();
  void thing.read();
  next().fail();
  await settle();
  expect(thing.value.value).toEqual({ n: 1 });
  expect(thing.problem.value).not.toBe('');
});

test('resource: an answer that comes after the workspace’s end is for nobody', async () => {
  void thing.read();
  const late = next();
  workspace.dispose();
  late.answer(1);
  await settle();
  expect(thing.value.value).toBe(null);
});
