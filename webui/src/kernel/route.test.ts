import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakePage } from '../testing/fake_page';

let route: typeof import('./route');
let page: ReturnType<typeof fakePage>;
let entries: { hash: string; state: unknown }[];
let at: number;

const hashes = () => entries.map(({ hash }) => hash);

/** The browser goes there, and tells of it as browsers do: a task later. */
function step(by: number): void {
  queueMicrotask(() => {
    at += by;
    location.hash = entries[at]?.hash ?? '';
    page.window.dispatchEvent(new Event('popstate'));
    page.window.dispatchEvent(new Event('hashchange'));
  });
}

const settle = () => new Promise((done) => setImmediate(done));

async function load(hash: string) {
  page = fakePage();
  entries = [{ hash, state: null }];
  at = 0;
  vi.stubGlobal('location', { pathname: '/ui/', search: '', hash });
  const write = (state: unknown, url: string) => {
    location.hash = url.startsWith('#') ? url : '';
    entries[at] = { hash: location.hash, state };
  };
  vi.stubGlobal('history', {
    get state() {
      return entries[at]?.state;
    },
    replaceState: (state: unknown, _: string, url: string) => write(state, url),
    pushState: (state: unknown, _: string, url: string) => {
      entries.length = ++at;
      write(state, url);
    },
    back: () => step(-1),
  });
  vi.resetModules();
  route = await import('./route');
  route.startRouting();
}

beforeEach(() => load('#s=a'));
afterEach(() => vi.unstubAllGlobals());

test('route: what is open over a chat has an address, and back closes it', async () => {
  route.open('events', { turn: 't&1', last: '1.2' });
  expect(location.hash).toBe('#s=a&open=events&turn=t%261&last=1.2');
  expect(route.parse(location.hash)).toEqual(route.address.value);
  step(-1);
  await settle();
  expect(route.address.value).toEqual({ chat: 'a', place: null, params: {} });
  step(1);
  await settle();
  expect(route.address.value.place).toBe('events');
});

test('route: closing goes back to where it was opened, so that back leads on from there', async () => {
  route.select('b');
  route.open('history');
  route.close('history');
  expect(route.address.value.place).toBe(null);
  await settle();
  expect([location.hash, at]).toEqual(['#s=b', 1]);
});

test('route: closing a place that a link led to leaves no step behind', async () => {
  await load('#s=a&open=history');
  expect(route.address.value.place).toBe('history');
  route.close('history');
  await settle();
  expect(hashes()).toEqual(['#s=a']);
});

test('route: what is done while a step back is under way counts', async () => {
  route.open('files');
  route.close('files');
  route.select('b');
  await settle();
  expect(location.hash).toBe('#s=b');
  expect(route.selected.value).toBe('b');
  expect(hashes()).toEqual(['#s=a', '#s=b']);
});

test('route: from one of the settings to another is no step', () => {
  route.open('models', { profile: 'default' });
  route.open('about');
  expect(hashes()).toEqual(['#s=a', '#s=a&open=about']);
});

test('route: only the place that is open can be closed', () => {
  route.open('history');
  route.close('files');
  expect(route.address.value.place).toBe('history');
});

test('route: another chat leaves nothing open, and no way back into what was', () => {
  route.open('travel');
  route.select('b');
  expect(route.address.value).toEqual({ chat: 'b', place: null, params: {} });
  expect(hashes()).toEqual(['#s=a', '#s=b']);
});

test('route: a new chat that gets its id keeps what is open over it', async () => {
  await load('#new');
  route.open('models');
  route.become('made');
  expect(location.hash).toBe('#s=made&open=models');
});

test('route: a step back is held where something is not saved, and goes on when its reader agrees', async () => {
  route.open('models');
  let agree = () => {};
  const release = route.holdAddress((go) => {
    agree = go;
    return true;
  });
  step(-1);
  await settle();
  expect(route.address.value.place).toBe('models');
  expect(location.hash).toBe('#s=a&open=models');
  release();
  agree();
  await settle();
  expect(route.address.value.place).toBe(null);
  expect(location.hash).toBe('#s=a');
});

test('route: a sign-in link leaves the page where it is', async () => {
  route.open('history');
  location.hash = '#signin=token';
  page.window.dispatchEvent(new Event('popstate'));
  expect(route.takeSignInToken()).toBe('token');
  expect(location.hash).toBe('#s=a&open=history');
  expect(route.takeSignInToken()).toBe(null);
});

test('route: why a sign-in came to nothing is taken out of the address bar', async () => {
  await load('#signin_failed=auth.invalid');
  expect(route.takeSignInToken()).toBe(null);
  expect(route.takeSignInFailure()).toBe('auth.invalid');
  expect(location.hash).toBe('');
});

test('route: on the first page a token leaves nothing in the address bar', async () => {
  await load('#signin=token');
  expect(route.takeSignInToken()).toBe('token');
  expect(location.hash).toBe('');
  expect(route.selected.value).toBe(null);
});

test('route: a message of a chat has an address, and what is opened over it leaves it there', async () => {
  route.selectAt('b', 'm/1');
  expect(location.hash).toBe('#s=b&at=m%2F1');
  expect(route.parse(location.hash)).toEqual(route.address.value);
  route.open('events', { turn: 't' });
  expect(location.hash).toBe('#s=b&at=m%2F1&open=events&turn=t');
  expect(route.parse(location.hash)).toEqual(route.address.value);
  route.close('events');
  await settle();
  expect(location.hash).toBe('#s=b&at=m%2F1');
  // The same is wished for again: nothing changes but that.
  const before = route.arrivals.value;
  route.selectAt('b', 'm/1');
  expect([route.arrivals.value, hashes()]).toEqual([before + 1, ['#s=a', '#s=b&at=m%2F1', '#s=b&at=m%2F1&open=events&turn=t']]);
  route.leaveMessage();
  expect(location.hash).toBe('#s=b');
  route.select('a');
  expect(location.hash).toBe('#s=a');
});

test('route: from what is open to a message is a step, and Back comes back to it', async () => {
  route.open('memory', { q: 'Ada' });
  route.selectAt('b', 'm');
  expect(hashes()).toEqual(['#s=a', '#s=a&open=memory&q=Ada', '#s=b&at=m']);
  step(-1);
  await settle();
  expect(route.address.value).toEqual({ chat: 'a', place: 'memory', params: { q: 'Ada' } });
  route.close('memory');
  await settle();
  expect(location.hash).toBe('#s=a');
});

test('route: a message without a chat is none', async () => {
  expect(route.parse('#new&at=m')).toEqual({ chat: null, place: null, params: {} });
});
