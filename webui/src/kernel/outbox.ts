import { effect, signal, untracked } from '@preact/signals';
import { backoff, pause } from './api/backoff';
import { NoAnswer, Problem, request, sentence } from './api/http';
import { newKey } from './api/new_key';
import type { MessageAccepted } from './api/types';
import { keep, kept, keptNames } from './kept';
import { isSignedInAs, mine, onOtherTab, person } from './person';
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
const tab = newKey();
const nameOf = (key: string) => `${mine(stored)}#${key}`;

export const outbox = signal<readonly Outgoing[]>([]);

type MadeSession = (entry: Outgoing, sessionId: string) => void;
let onSessionMade: MadeSession = () => {};
let lastWrittenAt = 0;

/** Takes up what earlier lives of the page had not brought to an end, once it is known whose. */
export function startOutbox(sessionMade: MadeSession): void {
  onSessionMade = sessionMade;
  holdLock(tab);
  effect(() => {
    if (person.value !== null) untracked(takeUp);
  });
  window.addEventListener('storage', ({ key, newValue }) => {
    if (person.peek() === null || !key?.startsWith(nameOf(''))) return;
    const entry = parse(newValue);
    if (entry) takeOver(entry.tab);
    // Another tab brought it to an end, or its writer signed out there.
    else put(outbox.peek().filter((o) => nameOf(o.key) !== key || o.phase === 'accepted'));
  });
  // Signed in again in another tab: what waited for that goes out.
  onOtherTab(deliverAll);
}

/** Never throws: a message that cannot be kept is sent all the same. */
export function send(
  sessionId: string | null, text: string, attachments: readonly AttachmentRef[] = [],
): void {
  lastWrittenAt = Math.max(Date.now(), lastWrittenAt + 1);
  const entry: Outgoing = {
    key: newKey(), sessionId, text, attachments, phase: 'sending', problem: '', requestId: '', status: 0,
    person: person.peek() ?? '', tab, writtenAt: lastWrittenAt, unkept: false,
  };
  put([...outbox.value, entry]);
  void deliver(entry.key);
}

export function sendAgain(key: string): void {
  change(key, { phase: 'sending', problem: '', requestId: '', status: 0 });
  void deliver(key);
}

export function discard(key: string): void {
  put(outbox.peek().filter((entry) => entry.key !== key));
}

/** Everything that stopped at a refused identity goes out again after its writer signed in. */
export function sendRefusedAgain(): void {
  for (const entry of outbox.peek()) {
    if (entry.status === 401 && isSignedInAs(entry.person)) sendAgain(entry.key);
  }
  deliverAll();
}

/** Whether closing this page would lose a message. */
export function hasUnkept(): boolean {
  return outbox.peek().some((entry) => entry.unkept && entry.phase !== 'accepted');
}

/** Of this person, and of other tabs, too. */
export function clearOutbox(): void {
  for (const name of keptNames(nameOf(''))) keep(name, null);
  put([]);
}

function takeUp(): void {
  const tabs = new Set(keptNames(nameOf('')).map((name) => parse(kept(name))?.tab));
  for (const other of tabs) if (other !== undefined) takeOver(other);
  deliverAll();
}

const awaited = new Set<string>();

/** Sends what another tab had to send, as soon as that tab is gone. */
function takeOver(other: string): void {
  if (other === tab || awaited.has(other)) return;
  awaited.add(other);
  const adopt = () => {
    awaited.delete(other);
    const known = new Set(outbox.peek().map(({ key }) => key));
    const found = keptNames(nameOf('')).flatMap((name) => parse(kept(name)) ?? []);
    const orphans = found.filter((entry) => entry.tab === other && !known.has(entry.key));
    if (orphans.length === 0) return;
    const all = [...outbox.peek(), ...orphans.map((entry) => ({ ...entry, tab }))];
    put(all.sort((a, b) => a.writtenAt - b.writtenAt));
    sendRefusedAgain();
  };
  // Without locks two tabs may send the same: its key makes that harmless.
  if (!navigator.locks) return adopt();
  void navigator.locks.request(lockOf(other), adopt).catch(adopt);
}

/** Held for as long as this page lives. */
function holdLock(ofTab: string): void {
  void navigator.locks?.request(lockOf(ofTab), () => new Promise(() => {})).catch(() => {});
}

function lockOf(ofTab: string): string {
  return `soma.tab.${ofTab}`;
}

const delivering = new Set<string>();

function deliverAll(): void {
  for (const entry of outbox.peek()) if (isNext(entry.key)) void deliver(entry.key);
}

async function deliver(key: string): Promise<void> {
  if (delivering.has(key)) return;
  delivering.add(key);
  try {
    for (let failures = 0; isNext(key); failures++) {
      try {
        await sendOnce(key);
      } catch (error) {
        if (isPassing(error)) {
          change(key, { phase: 'waiting' });
          await pause(breakAfter(error, failures));
        } else {
          const { requestId, status } =
            error instanceof Problem ? error : { requestId: '', status: 0 };
          change(key, { phase: 'refused', problem: sentence(error), requestId, status });
        }
      }
    }
  } finally {
    delivering.delete(key);
    const next = outbox.value.find((entry) => isNext(entry.key) && !delivering.has(entry.key));
    if (next) void deliver(next.key);
  }
}

async function sendOnce(key: string): Promise<void> {
  const entry = outbox.value.find((other) => other.key === key);
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
  change(key, { phase: 'accepted', sessionId: accepted.session_id });
  if (entry.sessionId === null) onSessionMade(entry, accepted.session_id);
}

/**
 * Whether it is this message's turn: its writer is signed in, and none of its chat that was
 * written before is on its way.
 */
function isNext(key: string): boolean {
  const entry = outbox.value.find((other) => other.key === key);
  if (!entry || isAtRest(entry) || !isSignedInAs(entry.person)) return false;
  const first = outbox.value.find((o) => o.sessionId === entry.sessionId && !isAtRest(o));
  return first === entry;
}

function isAtRest(entry: Outgoing): boolean {
  return entry.phase === 'accepted' || entry.phase === 'refused';
}

function change(key: string, by: Partial<Outgoing>): void {
  put(outbox.peek().map((entry) => (entry.key === key ? { ...entry, ...by } : entry)));
}

/** What changed is kept, what is accepted or gone is not. */
function put(entries: readonly Outgoing[]): void {
  const before = outbox.peek();
  const left = new Set(entries.map(({ key }) => key));
  for (const entry of before) if (!left.has(entry.key)) keep(nameOf(entry.key), null);
  outbox.value = entries.map((entry) => {
    if (before.includes(entry)) return entry;
    const isKept = keep(nameOf(entry.key), entry.phase === 'accepted' ? null : JSON.stringify(entry));
    return entry.unkept === !isKept ? entry : { ...entry, unkept: !isKept };
  });
}

function parse(value: string | null): Outgoing | null {
  try {
    const entry = JSON.parse(value ?? 'null') as Outgoing | null;
    return entry !== null && typeof entry.key === 'string' && typeof entry.text === 'string' ? entry : null;
  } catch {
    return null;
  }
}
