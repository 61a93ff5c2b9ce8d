import { computed, signal } from '@preact/signals';
import { request } from '../../kernel/api/http';
import type { SessionInfo, SessionPage } from '../../kernel/api/types';
import type { Workspace } from '../../kernel/workspace';
import { newestFirst, SessionList } from './session_list';

const askAfterMs = 200;
const askAgainAfterMs = 2_000;
const resultsMax = 200;

/** Finds sessions by their titles. */
export class SessionSearch {
  /** What the reader looks for; empty shows all. */
  readonly words = signal('');
  /** The server is being asked for what this page has not read yet. */
  readonly isAsking = signal(false);
  readonly shown = computed<readonly SessionInfo[]>(() => {
    const words = this.words.value.trim().toLowerCase();
    if (words === '') return this.list.all.value;
    return newestFirst(this.list.all.value.filter(
      (s) => s.title.toLowerCase().includes(words) && !this.list.isLeaving(s.session_id),
    ));
  });
  private readonly list: SessionList;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked: AbortController | null = null;

  constructor(workspace: Workspace) {
    this.list = workspace.of(SessionList);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.asked?.abort();
  }

  /** Finds at once among what is known, and a moment later among all there is. */
  search(words: string): void {
    this.words.value = words;
    clearTimeout(this.timer);
    this.asked?.abort();
    this.asked = null;
    const wanted = words.trim();
    this.isAsking.value = wanted !== '' && !this.list.isWhole.peek();
    if (this.isAsking.value) this.askAfter(askAfterMs, wanted);
  }

  private askAfter(ms: number, words: string): void {
    this.timer = setTimeout(() => void this.ask(words), ms);
  }

  private async ask(words: string): Promise<void> {
    const mine = new AbortController();
    this.asked = mine;
    try {
      const query = new URLSearchParams({ limit: String(resultsMax), q: words });
      const page = await request<SessionPage>(`sessions?${query}`, { signal: mine.signal });
      if (this.asked !== mine) return;
      this.list.add(page.sessions);
      this.isAsking.value = false;
    } catch {
      // What is known is shown; whether that is all is not said before the server said so.
      if (this.asked === mine) this.askAfter(askAgainAfterMs, words);
    }
  }
}
