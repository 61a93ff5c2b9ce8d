import { signal, type Signal } from '@preact/signals';
import type { SessionInfo } from '../../kernel/api/types';
import { seqOf } from '../../kernel/session/fold';
import { keep, kept } from '../../kernel/kept';
import type { Workspace } from '../../kernel/workspace';

/**
 * Which sessions said something since they were looked at. Kept in this browser for each person:
 * the greatest seq seen of each session, and the moment before which everything counts as seen.
 */
interface Seen {
  readonly since: string;
  readonly seqs: Readonly<Record<string, number>>;
}

const stored = 'soma.seen';
const keptMax = 1_000;

const nothing: Seen = { since: '', seqs: {} };

export class Unread {
  private readonly seen: Signal<Seen>;

  constructor(private readonly workspace: Workspace) {
    this.seen = signal(this.read());
    // Another tab saw something.
    window.addEventListener('storage', (event) => {
      if (event.key === this.name || event.key === null) this.seen.value = this.read();
    }, { signal: workspace.ended });
    let saved = this.seen.peek();
    workspace.effect(() => {
      if (this.seen.value === saved) return;
      saved = this.seen.value;
      keep(this.name, JSON.stringify(saved));
    });
  }

  /** On a first visit nothing is unread that is there already. */
  begin(sessions: Iterable<SessionInfo>): void {
    if (this.seen.peek().since !== '') return;
    let since = '0';
    for (const { updated_at } of sessions) if (updated_at > since) since = updated_at;
    this.seen.value = { ...this.seen.peek(), since };
  }

  mark(id: string, seq: number): void {
    const { since, seqs } = this.seen.peek();
    if (seq <= (seqs[id] ?? 0)) return;
    const { [id]: _, ...others } = seqs;
    // The newest stand last, so what is dropped was seen longest ago.
    const rest = Object.entries(others).slice(1 - keptMax);
    this.seen.value = { since, seqs: Object.fromEntries([...rest, [id, seq]]) };
  }

  /** A session that is at work is not unread yet: its answer is. One that is empty says nothing. */
  has(session: SessionInfo): boolean {
    if (session.busy || session.message_count === 0) return false;
    const { since, seqs } = this.seen.value;
    const seq = seqs[session.session_id];
    if (seq !== undefined) return seqOf(session.last_event_id) > seq;
    return since !== '' && session.updated_at > since;
  }

  private get name(): string {
    return this.workspace.nameOf(stored);
  }

  private read(): Seen {
    try {
      const { since, seqs } = JSON.parse(kept(this.name) ?? '') as Partial<Seen>;
      if (typeof since === 'string' && typeof seqs === 'object' && seqs) return { since, seqs };
    } catch {
      // Nothing is kept yet, or something that is not ours.
    }
    return nothing;
  }
}
