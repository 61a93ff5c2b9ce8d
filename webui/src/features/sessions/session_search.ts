import { computed, signal } from '@preact/signals';
import { request } from '../../kernel/api/http';
import type { SessionInfo, SessionPage } from '../../kernel/api/types';
import { addSessions, isLeaving, newestFirst, nextCursor, sessions } from './session_list';

/** What the reader looks for among the titles; empty shows all. */
export const searchWords = signal('');
/** The server is being asked for what this page has not read yet. */
export const searching = signal(false);

const askAfterMs = 200;
const resultsMax = 200;

let timer: ReturnType<typeof setTimeout> | undefined;
let asked: AbortController | null = null;

export const shownSessions = computed<readonly SessionInfo[]>(() => {
  const words = searchWords.value.trim().toLowerCase();
  if (words === '') return sessions.value;
  return newestFirst(sessions.value.filter(
    (s) => s.title.toLowerCase().includes(words) && !isLeaving(s.session_id),
  ));
});

/** Finds at once among what is known, and a moment later among all there is. */
export function search(words: string): void {
  searchWords.value = words;
  clearTimeout(timer);
  asked?.abort();
  asked = null;
  const wanted = words.trim();
  searching.value = wanted !== '' && nextCursor.peek() !== null;
  if (searching.value) timer = setTimeout(() => void ask(wanted), askAfterMs);
}

async function ask(words: string): Promise<void> {
  const mine = new AbortController();
  asked = mine;
  try {
    const query = new URLSearchParams({ limit: String(resultsMax), q: words });
    const page = await request<SessionPage>(`sessions?${query}`, { signal: mine.signal });
    if (asked === mine) addSessions(page.sessions);
  } catch {
    // What is known is shown; the next letter asks again.
  } finally {
    if (asked === mine) searching.value = false;
  }
}
