import type { Envelope } from '../api/types';
import { utf8Length } from './byte_text';
import { fold, foldAll, seqOf } from './fold';
import { emptySession, type Answer, type SessionState } from './state';

/**
 * The end of one session's log, as much of it as was read: pages from the past are put before it,
 * what happens is put behind it. `state` is always what these events fold to.
 *
 * Pieces of a finished message are let go, as a compact reading of the log would leave them out;
 * only what was thought is kept, since no later event repeats it.
 */
export class SessionLog {
  state: SessionState = emptySession;
  /** Where reading backwards goes on; null when the log's beginning is here. */
  older: string | null = null;
  private events: Envelope[] = [];

  get firstSeq(): number {
    return seqOf(this.events[0]?.meta.event_id);
  }

  append(event: Envelope): void {
    const before = this.state;
    const next = fold(before, event);
    if (next === before) return;
    this.state = next;
    if (event.type === 'stream.reset') this.goBack(next);
    else this.events.push(event);
    if (event.type === 'message.assistant') this.forgetPieces(event);
  }

  prepend(page: readonly Envelope[], older: string | null): void {
    this.older = older;
    if (page.length === 0) return;
    this.events = [...page, ...this.events];
    // What stands at the beginning may be the middle of something, and is no reason to read anew.
    this.state = { ...foldAll(emptySession, this.events), mustReload: false };
  }

  private goBack({ headSeq, lastEventId }: SessionState): void {
    const seq = headSeq;
    if (lastEventId !== null && seq < this.firstSeq) this.state = { ...this.state, mustReload: true };
    this.events = this.events.filter((event) => seqOf(event.meta.event_id) <= seq);
    if (lastEventId === null) this.older = null;
  }

  private forgetPieces(end: Envelope): void {
    const id = end.payload.message_id;
    const ofIt = ({ type, payload }: Envelope) => type === 'llm.delta' && payload.message_id === id;
    const last = this.events.findLast(ofIt);
    if (!last) return;
    const thinking = thoughtsOf(this.state, id);
    this.events = this.events.filter((event) => !ofIt(event) || (event === last && thinking !== ''));
    if (thinking === '') return;
    const { text: _, ...payload } = last.payload;
    const one = { ...last, payload: { ...payload, offset: 0, thinking } };
    this.events[this.events.indexOf(last)] = one;
  }
}

/** Whether a thought fits in what an event may be, so that nothing odd is kept. */
const thinkingBytesMax = 1_000_000;

function thoughtsOf({ turns }: SessionState, messageId: unknown): string {
  for (const turn of turns.slice().reverse()) {
    const answer = turn.items.find((item): item is Answer => item.id === messageId && item.kind === 'answer');
    if (!answer) continue;
    const { text } = answer.thinking;
    return utf8Length(text) > thinkingBytesMax ? '' : text;
  }
  return '';
}
