import { signal, untracked } from '@preact/signals';
import { backoff, pause } from './api/backoff';
import { NoAnswer, Problem, request, sentence } from './api/http';
import { newKey } from './api/new_key';
import type { MessageAccepted } from './api/types';
import { keep, kept, keptNames } from './kept';
import { isSignedInAs, onKnown, onOtherTab } from './person';
import { become, selected } from './route';
import { guardUnsaved } from './unsaved';
import type { Workspace } from './workspace';
import type { AttachmentRef } from './session/state';

/**
 * Messages on their way to the server. Each carries one Idempotency-Key from the first try to the
 * answer, through lost connections, reloads and a closed tab, so however often it is sent it is
 * accepted once. Messages of one chat go one after another, in the order they were written.
 *
 * A message is of the person who wrote it, and goes out only while they are signed in. What is not
 * accepted yet is kept in the browser, each message under a name of its own; the tab that wrote it
 * sends it, and when that tab is gone, another of the same person does.
 */
export interface Outgoing {
  readonly key: string;
  /** Null until the server made the session for a new chat's first message. */
  readonly sessionId: string | null;
  readonly text: string;
  readonly attachments?: readonly AttachmentRef[];
  /** waiting: for the connection; accepted: until its event is seen on the stream. */
  readonly phase: 'sending' | 'waiting' | 'accepted' | 'refused';
  readonly problem: string;
  readonly requestId: string;
  /** The HTTP status of the refusal, 0 without one. */
  readonly status: number;
  readonly person: string;
  /** Which tab sends it. */
  readonly tab: string;
  /** When it was written; a later one of the same tab has a greater number. */
  readonly writtenAt: number;
  /** The browser has no room for it: it lives as long as this page. */
  readonly unkept: boolean;
}

/** What the server says while it goes down, comes up, or has too much to do for a moment. */
const passingCodes: ReadonlySet<string> = new Set([
  'server.shutting_down', 'server.starting', 'server.busy', 'session.head_mismatch',
  'cluster.not_owner', 'cluster.owner_lost', 'cluster.timeout',
]);
/** A server may ask for a longer break than ours; longer than this, it is asked again all the same. */
const breakMaxMs = 60_000;

/** What a lost connection and a server going up or down look like: worth another try. */
function isPassing(error: unknown): boolean {
  if (error instanceof NoAnswer) return true;
  if (!(error instanceof Problem) || error.status < 502 || error.status > 504) return false;
  return !error.isOurs || passingCodes.has(error.code);
}

function breakAfter(error: unknown, failures: number): number {
  const asked = error instanceof Problem ? error.retryAfterMs : 0;
  return Math.max(backoff(failures), Math.min(asked, breakMaxMs));
}

const stored = 'soma.outbox';

export class Outbox {
  readonly entries = signal<readonly Outgoing[]>([]);
  private readonly tab = newKey();
  private readonly awaited = new Set<string>();
  private readonly delivering = new Set<string>();
  private lastWrittenAt = 0;

  /** Takes up what earlier lives of the page had not brought to an end. */
  constructor(private readonly workspace: Workspace) {
    const { ended: signal } = workspace;
    this.holdLock();
    window.addEventListener('storage', ({ key, newValue }) => {
      if (!key?.startsWith(this.nameOf(''))) return;
      const entry = parse(newValue);
      if (entry) this.takeOver(entry.tab);
      // Another tab brought it to an end, or its writer signed out there.
      else this.put(this.entries.peek().filter((o) => this.nameOf(o.key) !== key || o.phase === 'accepted'));
    }, { signal });
    // Signed in again in another tab: what waited for that goes out.
    onOtherTab(() => this.deliverAll(), signal);
    // What was written while somebody was signing in, here or in a tab that is gone.
    onKnown(() => this.deliverAll(), signal);
    workspace.onEnd(guardUnsaved(() => this.hasUnkept()));
    this.takeUp();
    workspace.effect(() => {
      if (workspace.isLive.value) untracked(() => this.sendRefusedAgain());
    });
  }

  /** Never throws: a message that cannot be kept is sent all the same. */
  send(sessionId: string | null, text: string, attachments: readonly AttachmentRef[] = []): void {
    this.lastWrittenAt = Math.max(Date.now(), this.lastWrittenAt + 1);
    const entry: Outgoing = {
      key: newKey(), sessionId, text, attachments, phase: 'sending', problem: '', requestId: '', status: 0,
      person: this.workspace.person, tab: this.tab, writtenAt: this.lastWrittenAt, unkept: false,
    };
    this.put([...this.entries.value, entry]);
    void this.deliver(entry.key);
  }

  sendAgain(key: string): void {
    this.change(key, { phase: 'sending', problem: '', requestId: '', status: 0 });
    void this.deliver(key);
  }

  discard(key: string): void {
    this.put(this.entries.peek().filter((entry) => entry.key !== key));
  }

  /** Everything that stopped at a refused identity goes out again after its writer signed in. */
  sendRefusedAgain(): void {
    for (const entry of this.entries.peek()) {
      if (entry.status === 401 && isSignedInAs(entry.person)) this.sendAgain(entry.key);
    }
    this.deliverAll();
  }

  /** Whether closing this page would lose a message. */
  hasUnkept(): boolean {
    return this.entries.peek().some((entry) => entry.unkept && entry.phase !== 'accepted');
  }

  /** Of this person, and of other tabs, too. */
  forget(): void {
    for (const name of keptNames(this.nameOf(''))) keep(name, null);
    this.put([]);
  }

  private takeUp(): void {
    const tabs = new Set(keptNames(this.nameOf('')).map((name) => parse(kept(name))?.tab));
    for (const other of tabs) if (other !== undefined) this.takeOver(other);
    this.deliverAll();
  }

  /** Sends what another tab had to send, as soon as that tab is gone. */
  private takeOver(other: string): void {
    if (other === this.tab || this.awaited.has(other)) return;
    this.awaited.add(other);
    const adopt = () => {
      this.awaited.delete(other);
      if (this.workspace.ended.aborted) return;
      const known = new Set(this.entries.peek().map(({ key }) => key));
      const found = keptNames(this.nameOf('')).flatMap((name) => parse(kept(name)) ?? []);
      const orphans = found.filter((entry) => entry.tab === other && !known.has(entry.key));
      if (orphans.length === 0) return;
      const all = [...this.entries.peek(), ...orphans.map((entry) => ({ ...entry, tab: this.tab }))];
      this.put(all.sort((a, b) => a.writtenAt - b.writtenAt));
      this.sendRefusedAgain();
    };
    // Without locks two tabs may send the same: its key makes that harmless.
    if (!navigator.locks) return adopt();
    void navigator.locks.request(lockOf(other), adopt).catch(adopt);
  }

  /** Held for as long as the workspace lives: whoever gets it after that sends what is left. */
  private holdLock(): void {
    const { ended } = this.workspace;
    const over = new Promise<void>((done) => ended.addEventListener('abort', () => done(), { once: true }));
    void navigator.locks?.request(lockOf(this.tab), () => over).catch(() => {});
  }

  private nameOf(key: string): string {
    return `${this.workspace.nameOf(stored)}#${key}`;
  }

  private deliverAll(): void {
    for (const entry of this.entries.peek()) if (this.isNext(entry.key)) void this.deliver(entry.key);
  }

  private async deliver(key: string): Promise<void> {
    if (this.delivering.has(key)) return;
    this.delivering.add(key);
    try {
      for (let failures = 0; this.isNext(key); failures++) {
        try {
          await this.sendOnce(key);
        } catch (error) {
          if (isPassing(error)) {
            this.change(key, { phase: 'waiting' });
            await pause(breakAfter(error, failures));
          } else {
            const { requestId, status } =
              error instanceof Problem ? error : { requestId: '', status: 0 };
            this.change(key, { phase: 'refused', problem: sentence(error), requestId, status });
          }
        }
      }
    } finally {
      this.delivering.delete(key);
      const next = this.entries.value.find((entry) => this.isNext(entry.key) && !this.delivering.has(entry.key));
      if (next) void this.deliver(next.key);
    }
  }

  private async sendOnce(key: string): Promise<void> {
    const entry = this.entries.value.find((other) => other.key === key);
    if (!entry) return;
    const accepted = await request<MessageAccepted>('session/message', {
      method: 'POST',
      idempotencyKey: key,
      body: {
        ...(entry.sessionId === null ? {} : { session_id: entry.sessionId }),
        message: entry.text,
        ...(entry.attachments?.length ? { attachments: entry.attachments.map(({ id }) => ({ id })) } : {}),
      },
    });
    this.change(key, { phase: 'accepted', sessionId: accepted.session_id });
    // The chat that was new is shown, unless the reader went elsewhere meanwhile.
    const isAwaited = entry.sessionId === null && selected.peek() === null && !this.workspace.ended.aborted;
    if (isAwaited) become(accepted.session_id);
  }

  /**
   * Whether it is this message's turn: its writer is signed in, and none of its chat that was
   * written before is on its way.
   */
  private isNext(key: string): boolean {
    if (this.workspace.ended.aborted) return false;
    const entry = this.entries.value.find((other) => other.key === key);
    if (!entry || isAtRest(entry) || !this.isMine(entry) || !isSignedInAs(entry.person)) return false;
    const first = this.entries.value.find((o) => o.sessionId === entry.sessionId && !isAtRest(o));
    return first === entry;
  }

  private isMine(entry: Outgoing): boolean {
    return entry.person === this.workspace.person;
  }

  private change(key: string, by: Partial<Outgoing>): void {
    this.put(this.entries.peek().map((entry) => (entry.key === key ? { ...entry, ...by } : entry)));
  }

  /** What changed is kept, what is accepted or gone is not. */
  private put(entries: readonly Outgoing[]): void {
    const before = this.entries.peek();
    const left = new Set(entries.map(({ key }) => key));
    for (const entry of before) if (!left.has(entry.key)) keep(this.nameOf(entry.key), null);
    this.entries.value = entries.map((entry) => {
      if (before.includes(entry)) return entry;
      const isKept = keep(this.nameOf(entry.key), entry.phase === 'accepted' ? null : JSON.stringify(entry));
      return entry.unkept === !isKept ? entry : { ...entry, unkept: !isKept };
    });
  }
}

function lockOf(ofTab: string): string {
  return `soma.tab.${ofTab}`;
}

function isAtRest(entry: Outgoing): boolean {
  return entry.phase === 'accepted' || entry.phase === 'refused';
}

function parse(value: string | null): Outgoing | null {
  try {
    const entry = JSON.parse(value ?? 'null') as Outgoing | null;
    return entry !== null && typeof entry.key === 'string' && typeof entry.text === 'string' ? entry : null;
  } catch {
    return null;
  }
}
