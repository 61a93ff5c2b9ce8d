import { emptyText, type ByteText } from './byte_text';

/**
 * What one session's log folds into: the only thing the transcript is drawn from.
 *
 * Everything here is immutable; `fold` answers a new state that shares what did not change, so a
 * view may compare by identity.
 */
export interface SessionState {
  /** The greatest seq folded; what is not greater is a duplicate. 0 before the first event. */
  readonly headSeq: number;
  /** Where a stream resumes: the id of that event. */
  readonly lastEventId: string | null;
  readonly title: string;
  readonly paused: boolean;
  readonly deleted: boolean;
  /** In the order the user's messages were accepted. */
  readonly turns: readonly Turn[];
  /** The log told of a past this state cannot be taken back to: read it again from the start. */
  readonly mustReload: boolean;
  /** What `stream.reset` goes back to, and the events folded since, newest first. */
  readonly checkpoint: SessionState | null;
  readonly since: FoldedEvent | null;
}

export interface FoldedEvent {
  readonly seq: number;
  readonly event: unknown;
  readonly before: FoldedEvent | null;
}

/**
 * queued: accepted, the model has not been asked; running: until its final answer; failed: ended
 * by an error, and may still be taken up again by a later attempt.
 */
export type TurnStatus = 'queued' | 'running' | 'done' | 'stopped' | 'failed';

export interface Turn {
  readonly id: string;
  /** Absent for what belongs to no message, such as a tool asked for by hand. */
  readonly user: UserMessage | null;
  readonly items: readonly Item[];
  readonly status: TurnStatus;
  /** What the model was told from memory before it was asked; null where nothing was looked for or found. */
  readonly recalled: Recalled | null;
  /** The event before its first, null where that was not read. A fork there has not asked yet. */
  readonly beforeId: string | null;
  readonly firstId: string;
  /** A fork there has all of it so far. */
  readonly lastId: string;
}

export interface UserMessage {
  readonly messageId: string;
  readonly text: string;
  readonly createdAt: string;
  readonly idempotencyKey: string;
  readonly attachments: readonly AttachmentRef[];
}

/** Copies: a memory that was changed or forgotten since stands here as it was. */
export interface Recalled {
  readonly items: readonly RecalledItem[];
  /** Not all that is remembered was looked through. */
  readonly degraded: boolean;
  /** Of `degraded`, a sentence; '' where nobody said. */
  readonly reason: string;
}

/** What is not known of it is ''. */
export interface RecalledItem {
  readonly memoryId: string;
  readonly text: string;
  readonly kind: string;
  readonly sessionId: string;
  readonly messageId: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Of a passage: page, heading. */
  readonly place: Readonly<Record<string, unknown>> | null;
}

/** A file that a message names. What is not known of it is '' or 0. */
export interface AttachmentRef {
  readonly id: string;
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
}

export type Item = Answer | ToolCall | Failure;

export interface Answer {
  readonly kind: 'answer';
  readonly id: string;
  readonly text: ByteText;
  readonly thinking: ByteText;
  readonly attempt: number;
  readonly model: string;
  /** What the runtime asked for, other than an answer: `nudge`, `summarize`. */
  readonly instruction: string;
  /** While the model is being asked, null; then why it ended. */
  readonly finish: string | null;
  /** The whole text came, so no delta can change it. */
  readonly whole: boolean;
  /** That something was thought, as its end tells; the words themselves may not have been read. */
  readonly thought: boolean;
  /** What readers said of it, the latest of each, by user id. */
  readonly feedback: Readonly<Record<string, Feedback>>;
}

export interface Feedback {
  readonly rating: Rating;
  readonly tags: readonly string[];
  readonly comment: string;
}

export type Rating = 'helpful' | 'not_helpful';

export interface ToolCall {
  readonly kind: 'tool';
  readonly id: string;
  readonly toolId: string;
  readonly inputs: unknown;
  /** running, or the status of its result. */
  readonly status: string;
  readonly requestedBy: string;
  /** RFC 3339; '' where it is not known. */
  readonly startedAt: string;
  readonly progress: string;
  readonly output: unknown;
  readonly error: string;
  readonly errorCode: string;
  /** Of a denial: the rule that denied. */
  readonly rule: string;
  readonly durationMs: number | null;
}

export interface Failure {
  readonly kind: 'failure';
  readonly id: string;
  readonly code: string;
  readonly detail: string;
  /** Of a denial: the rule that denied. */
  readonly rule: string;
  readonly retryable: boolean;
  readonly requestId: string;
}

export const emptySession: SessionState = {
  headSeq: 0,
  lastEventId: null,
  title: '',
  paused: false,
  deleted: false,
  turns: [],
  mustReload: false,
  checkpoint: null,
  since: null,
};

/** Whether the turn has that message, answer or tool call. */
export function hasId(turn: Turn, id: string): boolean {
  return turn.user?.messageId === id || turn.items.some((item) => item.id === id);
}

export function newAnswer(id: string): Answer {
  return {
    kind: 'answer', id, text: emptyText, thinking: emptyText, attempt: 1, model: '',
    instruction: '', finish: null,
    whole: false, thought: false, feedback: {},
  };
}

export function isOver(turn: Turn): boolean {
  return turn.status === 'done' || turn.status === 'stopped' || turn.status === 'failed';
}

/** The turn being worked on, or the next to be. */
export function activeTurn(state: SessionState): Turn | undefined {
  return (
    state.turns.find((turn) => turn.status === 'running') ??
    state.turns.find((turn) => turn.status === 'queued')
  );
}
