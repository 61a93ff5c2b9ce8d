import type { Identity } from './api/types';
import { keep, kept } from './kept';

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

/** Whether what a person wrote may go out now: it would go as whoever is signed in. */
export function isSignedInAs(name: string): boolean {
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

/**
 * A sign-in begins, and nobody can say as whom a request would go. Answers how to take it back,
 * unless it was told since then who is signed in.
 */
export function beginEntering(): () => void {
  const before = kept(stored);
  const begun = entering + Date.now();
  keep(stored, begun);
  awaitEnd();
  return () => {
    if (kept(stored) !== begun) return;
    keep(stored, before);
    tellKnown();
  };
}

/** The server said who is signed in: of itself, or (`asked`) because this page asked it. */
export function tellSignedIn(name: string, asked: boolean): void {
  if (asked && entersForMs() > 0) return;
  keep(stored, name);
  tellKnown();
}

export function tellSignedOut(): void {
  keep(stored, nobody);
}

/** Told when another tab signed somebody in (their name) or out (null). */
export function onOtherTab(listener: (name: string | null) => void, until?: AbortSignal): void {
  window.addEventListener('storage', ({ key, newValue }) => {
    if (key !== stored || newValue === null || newValue.startsWith(entering)) return;
    listener(newValue === nobody ? null : newValue);
  }, until ? { signal: until } : {});
}

/** Told when a sign-in of this tab is over, or one that was left in the middle no longer counts. */
export function onKnown(listener: () => void, until: AbortSignal): void {
  known.add(listener);
  until.addEventListener('abort', () => known.delete(listener), { once: true });
}

/**
 * Told when a sign-in, of any tab, was left in the middle: by a reload, or with its tab. Nobody
 * will say how it ended, so the server must be asked.
 */
export function onLeftInTheMiddle(listener: () => void): void {
  leftInTheMiddle = listener;
  window.addEventListener('storage', ({ key }) => {
    if (key === stored) awaitEnd();
  });
  awaitEnd();
}

const known = new Set<() => void>();
let leftInTheMiddle = () => {};
let timer: ReturnType<typeof setTimeout> | undefined;

function tellKnown(): void {
  for (const listener of known) listener();
}

function awaitEnd(): void {
  clearTimeout(timer);
  if (!isEntering()) return;
  timer = setTimeout(() => {
    if (entersForMs() > 0) awaitEnd();
    else if (isEntering()) leftInTheMiddle();
  }, entersForMs());
}

function isEntering(): boolean {
  return (kept(stored) ?? '').startsWith(entering);
}

/** How much longer a sign-in that has begun is waited for; 0 where none has. */
function entersForMs(): number {
  if (!isEntering()) return 0;
  // Far on either side of now: a clock that was set makes nobody wait.
  const left = enteringMaxMs - Math.abs(Date.now() - Number(kept(stored)?.slice(1)));
  return Math.max(0, left || 0);
}
