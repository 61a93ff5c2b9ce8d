import { signal } from '@preact/signals';
import type { Identity } from './api/types';
import { keep, kept } from './kept';

/**
 * Whose page this is; null until it is known. What a page holds in memory belongs to one person:
 * for another it begins anew, so this never changes from one to another. What the browser keeps
 * for a person stands under names of their own.
 */
export const person = signal<string | null>(null);

/**
 * Who is signed in in this browser, as all its tabs know it: the cookie is one for all of them.
 * A person's name; or that a sign-in is under way, since when; or that nobody is.
 */
const stored = 'soma.person';
const nobody = '-';
const entering = '?';
/** A sign-in that took longer was left in the middle. */
const enteringMaxMs = 60_000;

export function nameOfPerson({ tenant_id, user_id }: Identity): string {
  return `${encodeURIComponent(tenant_id)}/${encodeURIComponent(user_id)}`;
}

/** Under which name the browser keeps something for the person whose page this is. */
export function mine(name: string): string {
  return `${name}@${person.peek()}`;
}

/** Whether what this person wrote may go out now: it would go as whoever is signed in. */
export function isSignedInAs(name: string): boolean {
  if (person.peek() !== name) return false;
  const signedIn = kept(stored);
  // Nothing is kept in this browser, so no other tab can have told.
  return signedIn === null || signedIn === name;
}

/**
 * What earlier versions kept without a name on it goes to whoever was signed in all along, and to
 * nobody else.
 */
export function nameWhatIsOld(name: string, wasSignedIn: boolean): void {
  for (const old of ['soma.drafts', 'soma.seen', 'soma.session']) {
    const value = kept(old);
    if (value === null) continue;
    if (wasSignedIn && kept(`${old}@${name}`) === null) keep(`${old}@${name}`, value);
    keep(old, null);
  }
  try {
    const waiting = sessionStorage.getItem('soma.outbox');
    sessionStorage.removeItem('soma.outbox');
    if (!wasSignedIn || waiting === null) return;
    // As of a tab that is closed: whoever looks next takes them up.
    (JSON.parse(waiting) as { key: string }[]).forEach((entry, at) =>
      keep(`soma.outbox@${name}#${entry.key}`,
        JSON.stringify({ ...entry, person: name, tab: 'before', writtenAt: at, unkept: false })));
  } catch { /* nothing that can be read */ }
}

/** A sign-in begins, and nobody can say as whom a request would go. Answers how to take it back. */
export function beginEntering(): () => void {
  const before = kept(stored);
  keep(stored, entering + Date.now());
  return () => void keep(stored, before);
}

/** The server said who is signed in: of itself, or (`asked`) because this page asked it. */
export function tellSignedIn(name: string, asked: boolean): void {
  const now = kept(stored) ?? '';
  const isEntering = now.startsWith(entering) && Date.now() - Number(now.slice(1)) < enteringMaxMs;
  if (!(asked && isEntering)) keep(stored, name);
}

export function tellSignedOut(): void {
  keep(stored, nobody);
}

/** Told when another tab signed somebody in (their name) or out (null). */
export function onOtherTab(listener: (name: string | null) => void): void {
  window.addEventListener('storage', ({ key, newValue }) => {
    if (key !== stored || newValue === null || newValue.startsWith(entering)) return;
    listener(newValue === nobody ? null : newValue);
  });
}
