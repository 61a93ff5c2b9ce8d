import { effect, signal } from '@preact/signals';

/**
 * Which session is shown: null is a new chat. Kept in the URL's hash (`#s=<id>`), so that a link
 * and the back button work.
 */
export const selected = signal<string | null>(fromHash());

export function hrefOf(sessionId: string | null): string {
  return sessionId === null ? '#new' : `#s=${encodeURIComponent(sessionId)}`;
}

export function select(sessionId: string | null): void {
  selected.value = sessionId;
}

/** As `select`, without a step to go back to. */
export function show(sessionId: string): void {
  history.replaceState(null, '', hrefOf(sessionId));
  selected.value = sessionId;
}

/** Takes the one-time token out of `#signin=<token>`, and out of the address bar. */
export function takeSignInToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('signin');
  if (token !== null) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

function fromHash(): string | null {
  return new URLSearchParams(location.hash.slice(1)).get('s');
}

/** The chat that is shown is nothing to whoever signs in next. */
export function leaveAddress(): void {
  history.replaceState(null, '', location.pathname + location.search);
  selected.value = null;
}

export function startRouting(): void {
  if (selected.value !== null) history.replaceState(null, '', hrefOf(selected.value));
  window.addEventListener('hashchange', () => (selected.value = fromHash()));
  effect(() => {
    const id = selected.value;
    if (fromHash() !== id) history.pushState(null, '', hrefOf(id));
  });
}
