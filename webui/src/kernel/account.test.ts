import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { changeElsewhere, fakePage } from '../testing/fake_page';

const identity = (user_id: string) => ({ tenant_id: 't', user_id, role: 'user' });
let page: ReturnType<typeof fakePage>;
let account: typeof import('./account');
let isSignedInAs: typeof import('./person').isSignedInAs;
let route: typeof import('./route');
let cookie: string | null;
let end_session_url: string | null;

beforeEach(async () => {
  vi.useFakeTimers();
  page = fakePage();
  cookie = null;
  end_session_url = null;
  vi.stubGlobal('location', { pathname: '/ui/', search: '', hash: '#s=a-chat-of-a' });
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    if (url.endsWith('auth/login')) cookie = JSON.parse(init.body as string).key as string;
    if (url.endsWith('auth/logout')) {
      cookie = null;
      if (end_session_url !== null) return Response.json({ end_session_url });
      return new Response(null, { status: 204 });
    }
    if (url.endsWith('auth/methods')) return Response.json({ provider: { name: 'Acme' } });
    if (cookie === null) return new Response('{}', { status: 401 });
    return Response.json(identity(cookie));
  });
  vi.resetModules();
  account = await import('./account');
  ({ isSignedInAs } = await import('./person'));
  route = await import('./route');
  account.startAccount();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('account: who signs in after another finds nothing of theirs', async () => {
  await account.signIn('a');
  expect(account.account.value).toEqual(identity('a'));
  const ofA = account.workspace.value;
  route.select('a-chat-of-a');
  account.lapse(); // as after a 401
  expect(account.account.value).toBe('lapsed');
  expect(account.workspace.value).toBe(ofA);
  expect(ofA?.isLive.value).toBe(false);
  await account.signIn('b');
  expect(account.workspace.value?.person).toBe('t/b');
  expect(ofA?.ended.aborted).toBe(true);
  expect(route.selected.value).toBe(null);
  expect(account.account.value).toEqual(identity('b'));
});

test('account: the same person goes on where they were', async () => {
  await account.signIn('a');
  const before = account.workspace.value;
  account.lapse();
  await account.signIn('a');
  expect(account.workspace.value).toBe(before);
  expect(before?.isLive.value).toBe(true);
  expect(account.account.value).toEqual(identity('a'));
});

test('account: a refusal of what was asked before somebody signed in says nothing of them', async () => {
  await account.signIn('a');
  const { request } = await import('./api/http');
  let refuse = () => {};
  const real = fetch;
  vi.stubGlobal('fetch', () => new Promise((done) => (refuse = () => done(new Response('{}', { status: 401 })))));
  const late = request('sessions').catch(() => 'refused');
  vi.stubGlobal('fetch', real);
  await account.signIn('b');
  refuse();
  expect(await late).toBe('refused');
  expect(account.account.value).toEqual(identity('b'));
  expect(account.workspace.value?.isLive.value).toBe(true);
});

test('account: who signed out is signed out, whatever is answered after that', async () => {
  await account.signIn('a');
  const own = account.workspace.value;
  await account.signOut();
  expect(own?.ended.aborted).toBe(true);
  expect(account.workspace.value).toBe(null);
  account.lapse();
  expect(account.account.value).toBe('signed_out');
});

test('account: who came by a provider signs out there, too', async () => {
  const went: string[] = [];
  Object.assign(location, { assign: (url: string) => went.push(url) });
  await account.signIn('a');
  await account.signOut();
  expect(went).toEqual([]);
  end_session_url = 'https://id.example/end';
  await account.signIn('a');
  await account.signOut();
  expect(went).toEqual([end_session_url]);
  expect(account.account.value).toBe('signed_out');
});

test('account: the way to a provider leads back to what is shown', async () => {
  expect(account.provider.value).toBe(null);
  await account.findProvider();
  expect(account.provider.value).toBe('Acme');
  expect(account.providerUrl()).toBe('http://soma.test/sub/v1/auth/oidc/start?return_to=%2Fui%2Findex.html%23s%3Da-chat-of-a');
});

test('account: why a sign-in came to nothing is said on the page', () => {
  account.tellFailure(null);
  expect(account.signInProblem.value).toBe('');
  account.tellFailure('auth.forbidden');
  expect(account.signInProblem.value).toContain('ask who runs this server');
  account.tellFailure('<b>');
  expect(account.signInProblem.value).toContain('Try it again');
});

test('account: what another tab does with the cookie is this tab’s, too', async () => {
  await account.signIn('a');
  cookie = null;
  changeElsewhere(page, 'soma.person', '-');
  expect(account.account.value).toBe('signed_out');
  cookie = 'b';
  changeElsewhere(page, 'soma.person', 't/b');
  await vi.advanceTimersByTimeAsync(0);
  expect(account.workspace.value?.person).toBe('t/b');
});

test('account: a page that was reloaded in the middle of a sign-in asks again who is signed in', async () => {
  cookie = 'a';
  changeElsewhere(page, 'soma.person', `?${Date.now()}`);
  await account.start(null);
  expect(account.workspace.value?.person).toBe('t/a');
  expect(isSignedInAs('t/a')).toBe(false); // the sign-in may still change it
  await vi.advanceTimersByTimeAsync(61_000);
  expect(isSignedInAs('t/a')).toBe(true);
});

test('account: it begins anew where that sign-in was somebody else’s', async () => {
  cookie = 'a';
  changeElsewhere(page, 'soma.person', `?${Date.now()}`);
  await account.start(null);
  cookie = 'b';
  await vi.advanceTimersByTimeAsync(61_000);
  expect(account.workspace.value?.person).toBe('t/b');
  expect(isSignedInAs('t/a')).toBe(false);
});
