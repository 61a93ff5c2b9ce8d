import { signal } from '@preact/signals';
import { onSignedOut, Problem, request, sentence } from './api/http';
import { backoff, pause } from './api/backoff';
import type { Identity, RuntimeConfig } from './api/types';
import { endStreams } from './streams/channel';
import { t } from './texts/texts';
import {
  beginEntering, nameOfPerson, nameWhatIsOld, onOtherTab, person, tellSignedIn, tellSignedOut,
} from './person';

/**
 * Who is using the page. `unknown` until the server was asked; `lapsed` where somebody was signed in
 * on this page and is not any more, without asking for it: what they were about to save is still here.
 */
export type Account = 'unknown' | 'signed_out' | 'lapsed' | Identity;

export const account = signal<Account>('unknown');
export const runtimeConfig = signal<RuntimeConfig>({});
/** Why the last try to sign in did not work. */
export const signInProblem = signal('');
/** Nothing was heard from the server since the page was opened. */
export const unreachable = signal(false);

onSignedOut(lapse);

export function lapse(): void {
  if (account.peek() !== 'signed_out') account.value = person.peek() === null ? 'signed_out' : 'lapsed';
}

/** The cookie is one for all tabs: what one of them does with it, the others must know. */
export function startAccount(): void {
  onOtherTab((name) => {
    if (name === null) account.value = 'signed_out';
    else if (name !== person.peek() || typeof account.peek() === 'string') void start(null);
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

export async function signOut(): Promise<void> {
  await request('auth/logout', { method: 'POST' });
  tellSignedOut();
  endStreams();
  account.value = 'signed_out';
}

export async function readRuntimeConfig(): Promise<void> {
  try {
    runtimeConfig.value = await request<RuntimeConfig>('runtime-config');
  } catch {
    // What is known stays; the tenant's stream brings the next reason to ask.
  }
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
  tellSignedIn(name, asked);
  if (person.peek() !== null && person.peek() !== name) return beginAnew();
  nameWhatIsOld(name, asked);
  person.value = name;
  account.value = identity;
}

/** Nothing that this page holds is for whoever signed in now: not a chat, a file, or a word. */
function beginAnew(): void {
  account.value = 'unknown';
  history.replaceState(null, '', location.pathname + location.search);
  location.reload();
}
