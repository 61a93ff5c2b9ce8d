import { batch, signal } from '@preact/signals';
import { apiUrl, noteSignIn, onSignedOut, Problem, request, sentence } from './api/http';
import { backoff, pause } from './api/backoff';
import type { Identity, SignedOut, SignInMethods } from './api/types';
import {
  beginEntering, nameOfPerson, nameWhatIsOld, onLeftInTheMiddle, onOtherTab, tellSignedIn, tellSignedOut,
} from './person';
import { leaveAddress, select } from './route';
import { Workspace } from './workspace';
import { t } from './texts/texts';

/**
 * Who is using the page. `unknown` until the server was asked; `lapsed` where somebody was signed in
 * on this page and is not any more, without asking for it: what they were about to save is still here.
 */
export type Account = 'unknown' | 'signed_out' | 'lapsed' | Identity;

export const account = signal<Account>('unknown');
/** All that the page holds for who is signed in, or was until their session ended. */
export const workspace = signal<Workspace | null>(null);
/** Why the last try to sign in did not work. */
export const signInProblem = signal('');
/** What the server calls the provider by which one can sign in, too; null where it has none. */
export const provider = signal<string | null>(null);
/** Nothing was heard from the server since the page was opened. */
export const unreachable = signal(false);

/** Whose page this was last. */
let lastPerson: string | null = null;

onSignedOut(lapse);

export function lapse(): void {
  if (account.peek() === 'signed_out') return;
  const own = workspace.peek();
  batch(() => {
    account.value = own === null ? 'signed_out' : 'lapsed';
    if (own) own.isLive.value = false;
  });
}

/** They are signed out for good: nothing of theirs stays in the page's memory. */
export function endAccount(): void {
  const own = workspace.peek();
  batch(() => {
    account.value = 'signed_out';
    workspace.value = null;
  });
  own?.dispose();
}

/** The cookie is one for all tabs: what one of them does with it, the others must know. */
export function startAccount(): void {
  onOtherTab((name) => {
    if (name === null) endAccount();
    else if (name !== workspace.peek()?.person || typeof account.peek() === 'string') void start(null);
  });
  onLeftInTheMiddle(() => {
    if (workspace.peek() !== null) void start(null);
  });
}

/** Asks until there is an answer: the page may well be opened before the server is up. */
export async function start(token: string | null): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      if (token !== null) await login({ token });
      else enter(await request<Identity>('auth/whoami'), true);
      unreachable.value = false;
      return;
    } catch (error) {
      if (error instanceof Problem && error.status < 500) {
        if (token === null) return lapse();
        // Who is signed in already may open a used link again and never know.
        signInProblem.value = t.signIn.linkUsed;
        token = null;
        continue;
      }
      unreachable.value = true;
      await pause(backoff(failures));
    }
  }
}

export async function signIn(key: string): Promise<void> {
  signInProblem.value = '';
  try {
    await login({ key });
  } catch (error) {
    const refused = error instanceof Problem && (error.status === 401 || error.status === 403);
    signInProblem.value = refused ? t.signIn.unknownKey : sentence(error);
  }
}

/** Asked by the page that offers it. Where there is no answer, it offers a key alone. */
export async function findProvider(): Promise<void> {
  try {
    provider.value = (await request<SignInMethods>('auth/methods')).provider?.name ?? null;
  } catch {
    provider.value = null;
  }
}

/** Where the browser goes to sign in there; it comes back to what is shown now. */
export function providerUrl(): string {
  return apiUrl(`auth/oidc/start?${new URLSearchParams({ return_to: `/ui/index.html${location.hash}` })}`);
}

/** Why the server sent the browser back without having signed it in. */
export function tellFailure(code: string | null): void {
  if (code !== null) signInProblem.value = t.signIn.failed[code] ?? t.signIn.notByProvider;
}

/** What was written here is not for whoever signs in next. */
export async function signOut(): Promise<void> {
  const own = workspace.peek();
  await own?.finish();
  const there = await request<SignedOut | undefined>('auth/logout', { method: 'POST' });
  tellSignedOut();
  own?.forget();
  endAccount();
  select(null);
  if (there) location.assign(there.end_session_url);
}

async function login(credential: { token: string } | { key: string }): Promise<void> {
  const takeBack = beginEntering();
  try {
    enter(await request<Identity>('auth/login', { method: 'POST', body: credential }), false);
  } catch (error) {
    takeBack();
    throw error;
  }
  signInProblem.value = '';
}

function enter(identity: Identity, asked: boolean): void {
  const name = nameOfPerson(identity);
  noteSignIn();
  tellSignedIn(name, asked);
  const own = workspace.peek();
  if (own?.person === name) {
    batch(() => {
      own.identity.value = identity;
      own.isLive.value = true;
      account.value = identity;
    });
    return;
  }
  // Nothing that this page holds is for whoever signed in now: not a chat, a file, or a word.
  if (lastPerson !== null && lastPerson !== name) leaveAddress();
  lastPerson = name;
  nameWhatIsOld(name, asked);
  batch(() => {
    workspace.value = new Workspace(identity);
    account.value = identity;
  });
  own?.dispose();
}
