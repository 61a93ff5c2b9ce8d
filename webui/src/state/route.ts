import { effect, signal } from '@preact/signals';

/**
 * Which session is shown: null is a new chat. Kept in the URL's hash (`#s=<id>`), so that a link
 * and the back button work, and in localStorage for the next visit.
 */
const stored = 'soma.session';

export const selected = signal<string | null>(fromHash() ?? localStorage.getItem(stored));

/** What nobody asked for in this visit, so that nobody need be told when it is gone. */
export const remembered = fromHash() === null ? selected.value : null;

export function hrefOf(sessionId: string | null): string {
  return sessionId === null ? '#new' : `#s=${encodeURIComponent(sessionId)}`;
}

export function select(sessionId: string | null): void {
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

export function startRouting(): void {
  window.addEventListener('hashchange', () => (selected.value = fromHash()));
  if (selected.value !== null) history.replaceState(null, '', hrefOf(selected.value));
  effect(() => {
    const id = selected.value;
    if (id === null) localStorage.removeItem(stored);
    else localStorage.setItem(stored, id);
    if (fromHash() !== id) history.pushState(null, '', hrefOf(id));
  });
}
