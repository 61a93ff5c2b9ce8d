import { effect, signal } from '@preact/signals';
import type { SessionInfo } from '../../kernel/api/types';
import { seqOf } from '../../kernel/session/fold';
import { keep, kept } from '../../kernel/kept';
import { mine, person } from '../../kernel/person';

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
const seen = signal<Seen>(nothing);

/** Another tab saw something. */
export function startUnread(): void {
  window.addEventListener('storage', (event) => {
    if (person.peek() !== null && (event.key === mine(stored) || event.key === null)) seen.value = read();
  });
  let saved = seen.peek();
  effect(() => {
    if (person.value !== null) seen.value = saved = read();
  });
  effect(() => {
    if (seen.value === saved || person.peek() === null) return;
    saved = seen.value;
    keep(mine(stored), JSON.stringify(saved));
  });
}

/** On a first visit nothing is unread that is there already. */
export function beginUnread(sessions: Iterable<SessionInfo>): void {
  if (seen.peek().since !== '') return;
  let since = '0';
  for (const { updated_at } of sessions) if (updated_at > since) since = updated_at;
  seen.value = { ...seen.peek(), since };
}

export function markSeen(id: string, seq: number): void {
  const { since, seqs } = seen.peek();
  if (seq <= (seqs[id] ?? 0)) return;
  const { [id]: _, ...others } = seqs;
  // The newest stand last, so what is dropped was seen longest ago.
  const rest = Object.entries(others).slice(1 - keptMax);
  seen.value = { since, seqs: Object.fromEntries([...rest, [id, seq]]) };
}

/** A session that is at work is not unread yet: its answer is. One that is empty says nothing. */
export function isUnread(session: SessionInfo): boolean {
  if (session.busy || session.message_count === 0) return false;
  const { since, seqs } = seen.value;
  const seq = seqs[session.session_id];
  if (seq !== undefined) return seqOf(session.last_event_id) > seq;
  return since !== '' && session.updated_at > since;
}

function read(): Seen {
  try {
    const { since, seqs } = JSON.parse(kept(mine(stored)) ?? '') as Partial<Seen>;
    if (typeof since === 'string' && typeof seqs === 'object' && seqs) return { since, seqs };
  } catch {
    // Nothing is kept yet, or something that is not ours.
  }
  return nothing;
}
