import { effect, signal } from '@preact/signals';
import { keep, kept } from './kept';
import { mine, person } from './person';

/**
 * Which session is shown: null is a new chat. Kept in the URL's hash (`#s=<id>`), so that a link
 * and the back button work, and in the browser for the next
 * visit of the same person.
 */
const stored = 'soma.session';

export const selected = signal<string | null>(fromHash());

/** What nobody asked for in this visit, so that nobody need be told when it is gone. */
export const remembered = signal<string | null>(null);

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
  let isBegun = location.hash !== '';
  effect(() => {
    const id = selected.value;
    if (person.value !== null && !isBegun) {
      isBegun = true;
      const last = id ?? kept(mine(stored));
      if (last !== id) {
        remembered.value = last;
        // The first page of this visit, not one more to go back to.
        history.replaceState(null, '', hrefOf(last));
        selected.value = last;
        return;
      }
    }
    if (person.value !== null) keep(mine(stored), id);
    if (fromHash() !== id) history.pushState(null, '', hrefOf(id));
  });
}
