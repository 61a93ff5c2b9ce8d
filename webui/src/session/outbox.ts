import { signal } from '@preact/signals';
import { backoff, pause } from '../api/backoff';
import { Problem, request, sentence } from '../api/http';
import { newKey } from '../api/new_key';
import type { MessageAccepted } from '../api/types';
import type { AttachmentRef } from './state';

/**
 * Messages on their way to the server. Each carries one Idempotency-Key from the first try to the
 * answer, through lost connections and reloads of the page, so however often it is sent it is
 * accepted once. Messages of one chat go one after another, in the order they were written.
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
}

/** What a lost connection and a server going up or down look like: worth another try. */
function isPassing(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  return error instanceof Problem && error.status >= 502 && error.status <= 504 && !error.isOurs;
}

const stored = 'soma.outbox';

export const outbox = signal<readonly Outgoing[]>(restore());

type MadeSession = (entry: Outgoing, sessionId: string) => void;
let onSessionMade: MadeSession = () => {};

/** Takes up what an earlier life of this tab had not brought to an end. */
export function startOutbox(sessionMade: MadeSession): void {
  onSessionMade = sessionMade;
  for (const entry of outbox.value) void deliver(entry.key);
}

export function send(
  sessionId: string | null, text: string, attachments: readonly AttachmentRef[] = [],
): void {
  const key = newKey();
  put([
    ...outbox.value,
    {
      key, sessionId, text, attachments, phase: 'sending', problem: '', requestId: '', status: 0,
    },
  ]);
  void deliver(key);
}

export function sendAgain(key: string): void {
  change(key, { phase: 'sending', problem: '', requestId: '', status: 0 });
  void deliver(key);
}

export function discard(key: string): void {
  put(outbox.peek().filter((entry) => entry.key !== key));
}

/** Everything that stopped at a refused identity goes out again after signing in. */
export function sendRefusedAgain(): void {
  for (const entry of outbox.peek()) if (entry.status === 401) sendAgain(entry.key);
}

export function clearOutbox(): void {
  put([]);
}

const delivering = new Set<string>();

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
          await pause(backoff(failures));
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

/** Whether it is this message's turn: none of its chat that was written before is on its way. */
function isNext(key: string): boolean {
  const entry = outbox.value.find((other) => other.key === key);
  if (!entry || isAtRest(entry)) return false;
  const first = outbox.value.find((o) => o.sessionId === entry.sessionId && !isAtRest(o));
  return first === entry;
}

function isAtRest(entry: Outgoing): boolean {
  return entry.phase === 'accepted' || entry.phase === 'refused';
}

function change(key: string, by: Partial<Outgoing>): void {
  put(outbox.peek().map((entry) => (entry.key === key ? { ...entry, ...by } : entry)));
}

function put(entries: readonly Outgoing[]): void {
  outbox.value = entries;
  const open = entries.filter((entry) => entry.phase !== 'accepted');
  if (open.length === 0) sessionStorage.removeItem(stored);
  else sessionStorage.setItem(stored, JSON.stringify(open));
}

function restore(): readonly Outgoing[] {
  try {
    return JSON.parse(sessionStorage.getItem(stored) ?? '[]') as Outgoing[];
  } catch {
    return [];
  }
}
