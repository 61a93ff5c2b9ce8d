import { signal } from '@preact/signals';
import { apiUrl, Problem, request } from '../api/http';
import { backoff, pause } from '../api/backoff';
import {
  sessionEventTypes, type ActionResult, type Envelope, type EventPage, type SessionAction,
} from '../api/types';
import type { Channel, Streams } from '../streams/streams';
import { connecting, offline, type LinkState } from '../streams/link_state';
import { epochOf, seqOf } from './fold';
import { SessionLog } from './session_log';
import { emptySession, hasId } from './state';

const pageEvents = 500;
/** How late a state may be told where no frames are drawn. */
const unseenMs = 250;
/** Greater than any id: what stands before it is the log's end. */
const afterAll = '4294967295.9007199254740991';

/**
 * One open session: reads its log's end, stays on its stream, and shows what it folds to. Older
 * pages are read when they are asked for. Every event is folded as it comes; views are told at
 * most once a frame.
 */
export class SessionStore {
  readonly state = signal(emptySession);
  readonly connection = signal<LinkState>(connecting);
  /** There is no such session for this reader, or it was deleted. */
  readonly gone = signal(false);
  /** There is a past that was not read yet. */
  readonly hasOlder = signal(false);

  private log = new SessionLog();
  private channel: Channel | null = null;
  /** What came while the events before it are still being fetched. */
  private early: Envelope[] | null = null;
  private isClosed = false;
  /** Counts how often all was read anew: work that began before the last time is void. */
  private life = 0;
  /** All was just read, so nothing can be out of date. */
  private isFresh = false;
  private reading: Promise<void> | null = null;
  private frame: number | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly id: string, private readonly streams: Streams) {
    void this.open();
  }

  /** Nothing of it was ever seen. */
  get isEmpty(): boolean {
    return this.log.state.headSeq === 0;
  }

  close(): void {
    this.isClosed = true;
    this.life++;
    this.channel?.close();
    this.channel = null;
    this.cancelShow();
  }

  /** Shown live again after other sessions took its place. */
  resume(): void {
    this.channel?.touch();
  }

  /** Whoever reads it is signed in again: what was refused meanwhile is asked for anew. */
  reopen(): void {
    if (!this.isClosed) this.reload();
  }

  act(action: SessionAction, toolCallId?: string): Promise<ActionResult> {
    return request<ActionResult>('session/action', {
      method: 'POST',
      body: { session_id: this.id, action, ...(toolCallId ? { tool_call_id: toolCallId } : {}) },
    });
  }

  /** Reads at least one whole turn more of the past. */
  readOlder(): Promise<void> {
    this.reading ??= this.readBack(this.log).finally(() => (this.reading = null));
    return this.reading;
  }

  /** Reads back until the message, answer or tool call of that id is there. Answers whether it is. */
  async readBackTo(id: string): Promise<boolean> {
    for (;;) {
      if (this.log.state.turns.some((turn) => hasId(turn, id))) return true;
      if (this.isClosed || this.log.older === null) return false;
      await this.readOlder();
    }
  }

  private async open(): Promise<void> {
    const log = new SessionLog();
    log.older = afterAll;
    if (!(await this.untilDone(++this.life, () => this.readBack(log)))) return;
    this.log = log;
    this.isFresh = true;
    this.hasOlder.value = log.older !== null;
    this.show();
    this.channel = this.streams.open({
      key: this.id,
      url: apiUrl(`${this.path('session')}/events?compact=true`),
      types: sessionEventTypes,
      after: () => this.log.state.lastEventId ?? 'start',
      onJoined: (at) => void this.catchUp(at),
      onEvent: (type, data) => this.take(asEnvelope(type, data)),
      onState: (state) => (this.connection.value = state),
      onRefused: (status, code) => this.refused(status, code),
    });
  }

  /** One page backwards, and on until a turn begins in what was read, or the log does. */
  private async readBack(log: SessionLog): Promise<void> {
    const turnsBefore = wholeTurns(log);
    while (log.older !== null) {
      const query = { before: log.older, compact: 'true', limit: String(pageEvents) };
      const page = await this.readPage(query);
      if (this.isClosed) return;
      log.prepend(page.events, page.next_cursor);
      if (wholeTurns(log) > turnsBefore) break;
    }
    if (log !== this.log) return;
    this.hasOlder.value = log.older !== null;
    this.show();
  }

  /** Another tab's stream was joined at `at`: what lies between is read in pages. */
  private async catchUp(at: string | null): Promise<void> {
    if (at === null || at === 'start') return;
    const mine = this.log.state.lastEventId;
    const wasFresh = this.isFresh;
    this.isFresh = false;
    // The server began anew since: what this page has may not be in the log any more.
    if (!wasFresh && mine !== null && epochOf(mine) < epochOf(at)) return this.reload();
    if (seqOf(at) <= this.log.state.headSeq || this.early) return;
    const early: Envelope[] = [];
    this.early = early;
    const log = this.log;
    const done = await this.untilDone(this.life, async () => {
      for (let after = log.state.lastEventId ?? 'start'; ;) {
        const page = await this.readPage({ after, compact: 'true', limit: String(pageEvents) });
        if (this.early !== early) return;
        for (const event of page.events) log.append(event);
        if (page.next_cursor === null || seqOf(page.next_cursor) >= seqOf(at)) return;
        after = page.next_cursor;
      }
    });
    // All was read anew meanwhile: what came early here is in what was read, or comes again.
    if (this.early !== early) return;
    this.early = null;
    if (!done) return;
    if (log.state.mustReload) return this.reload();
    for (const event of early) {
      if (this.log !== log) return;
      this.take(event);
    }
    this.show();
  }

  private take(event: Envelope): void {
    if (this.early) {
      this.early.push(event);
      return;
    }
    this.log.append(event);
    if (this.log.state.mustReload) return this.reload();
    if (this.log.state.deleted) this.end();
    this.show();
  }

  private reload(): void {
    this.channel?.close();
    this.channel = null;
    this.early = null;
    void this.open();
  }

  private refused(status: number, code: string): void {
    this.channel = null;
    if (status === 404 && code !== '') this.end();
    // An id the server cannot read is of a log that is not there any more.
    else if (status === 400) this.reload();
  }

  private end(): void {
    this.gone.value = true;
    this.channel?.close();
    this.channel = null;
  }

  /** Tries until it works; answers false where it never will, or where nobody waits for it any more. */
  private async untilDone(life: number, work: () => Promise<void>): Promise<boolean> {
    for (let failures = 0; ; failures++) {
      try {
        await work();
        return life === this.life;
      } catch (error) {
        if (life !== this.life) return false;
        const isOurs = error instanceof Problem && error.isOurs;
        if (isOurs && error.status < 500 && error.status !== 429) {
          // Signed out: the page asks who is there. Anything else will not be answered otherwise.
          if (error.status !== 401) this.end();
          return false;
        }
        const wait = backoff(failures);
        this.connection.value = navigator.onLine ? { is: 'reconnecting', at: Date.now() + wait } : offline;
        await pause(wait);
        if (life !== this.life) return false;
      }
    }
  }

  private readPage(query: Record<string, string>): Promise<EventPage> {
    return request<EventPage>(`${this.path('sessions')}/events?${new URLSearchParams(query)}`);
  }

  private path(collection: string): string {
    return `${collection}/${encodeURIComponent(this.id)}`;
  }

  private show(): void {
    if (this.timer !== undefined) return;
    const now = () => {
      this.cancelShow();
      this.state.value = this.log.state;
    };
    // No frames are drawn in the background, nor is one that was asked for just before: the title
    // and the other parts still follow.
    this.timer = setTimeout(now, unseenMs);
    if (document.visibilityState !== 'hidden') this.frame = requestAnimationFrame(now);
  }

  private cancelShow(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.frame = this.timer = undefined;
  }
}

function wholeTurns(log: SessionLog): number {
  return log.state.turns.filter((turn) => turn.user !== null).length;
}

function asEnvelope(type: string, data: unknown): Envelope {
  const body = data as Partial<Envelope> & Record<string, unknown>;
  if (body.meta && body.payload) return body as Envelope;
  return { meta: {}, type, payload: body };
}
