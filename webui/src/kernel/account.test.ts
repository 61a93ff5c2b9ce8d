import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { changeElsewhere, fakePage } from '../testing/fake_page';

const identity = (user_id: string) => ({ tenant_id: 't', user_id, role: 'user' });
let page: ReturnType<typeof fakePage>;
let account: typeof import('./account');
let person: typeof import('./person').person;
let reload: ReturnType<typeof vi.fn>;
let cookie: string | null;

beforeEach(async () => {
  vi.useFakeTimers();
  page = fakePage();
  reload = vi.fn();
  cookie = null;
  vi.stubGlobal('location', { pathname: '/ui/', search: '', hash: '#s=a-chat-of-a', reload });
  vi.stubGlobal('history', { replaceState: vi.fn() });
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    if (url.endsWith('auth/login')) cookie = JSON.parse(init.body as string).key as string;
    if (url.endsWith('auth/logout')) {
      cookie = null;
      return new Response(null, { status: 204 });
    }
    if (cookie === null) return new Response('{}', { status: 401 });
    return Response.json(identity(cookie));
  });
  vi.resetModules();
  account = await import('./account');
  ({ person } = await import('./person'));
  account.startAccount();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('account: a page that was one person’s begins anew for the next', async () => {
  await account.signIn('a');
  expect(account.account.value).toEqual(identity('a'));
  account.lapse(); // as after a 401
  expect(account.account.value).toBe('lapsed');
  await account.signIn('b');
  expect(reload).toHaveBeenCalledTimes(1);
  expect(person.value).toBe('t/a');
  expect(typeof account.account.value).toBe('string');
});

test('account: the same person goes on where they were', async () => {
  await account.signIn('a');
  account.lapse();
  await account.signIn('a');
  expect(reload).not.toHaveBeenCalled();
  expect(account.account.value).toEqual(identity('a'));
});

test('account: who signed out is signed out, whatever is answered after that', async () => {
  await account.signIn('a');
  await account.signOut();
  account.lapse();
  expect(account.account.value).toBe('signed_out');
});

test('account: what another tab does with the cookie is this tab’s, too', async () => {
  await account.signIn('a');
  cookie = null;
  changeElsewhere(page, 'soma.person', '-');
  expect(account.account.value).toBe('signed_out');
  cookie = 'b';
  changeElsewhere(page, 'soma.person', 't/b');
  await vi.advanceTimersByTimeAsync(0);
  expect(reload).toHaveBeenCalledTimes(1);
});
