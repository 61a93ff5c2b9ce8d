import type { Envelope } from '../api/types';
import { emptyText, place, wholeText } from './byte_text';
import { attachmentRefs, failureDetail, feedbackOf, isRecord, number, recalledOf, ruleOf, text } from './payload';
import { emptySession, isOver, newAnswer } from './state';
import type {
  Answer, Failure, FoldedEvent, Item, SessionState, ToolCall, Turn, TurnStatus,
} from './state';

/** How much of a tool's progress is kept to be looked at, in UTF-16 units. */
const progressKept = 16_000;

/**
 * The state after `event`. Pure; a delta costs its piece, whatever the length of the text so far.
 * Repeats, events without an id and types that are not known change nothing.
 */
export function fold(state: SessionState, event: Envelope): SessionState {
  if (event.type === 'stream.reset') return goBack(state, text(event.payload.from));
  const id = event.meta.event_id;
  const seq = seqOf(id);
  if (id === undefined || seq <= state.headSeq) return state;
  const here = { ...state, headSeq: seq, lastEventId: id };
  const next = { ...apply(here, event, state.lastEventId), since: { seq, event, before: state.since } };
  // Only a message's end is worth a checkpoint: what came since is short then, and the pieces
  // that the message was made of can be let go.
  if (event.type !== 'message.assistant') return next;
  return { ...next, since: null, checkpoint: { ...next, since: null, checkpoint: null } };
}

export function foldAll(state: SessionState, events: Iterable<Envelope>): SessionState {
  for (const event of events) state = fold(state, event);
  return state;
}

/** The server counts its lives: an id of a later one is newer, whatever its seq. */
export function epochOf(id: string): number {
  return Number(id.slice(0, id.indexOf('.')));
}

/** The part of `<epoch>.<seq>` that ids compare by; 0 when there is none. */
export function seqOf(id: string | undefined): number {
  if (id === undefined) return 0;
  const seq = Number(id.slice(id.indexOf('.') + 1));
  return Number.isSafeInteger(seq) ? seq : 0;
}

/** Drops every event after `from`, or all. */
function goBack(state: SessionState, from: string): SessionState {
  if (from === '') return emptySession;
  const seq = seqOf(from);
  if (seq >= state.headSeq) return state;
  const base = state.checkpoint ?? emptySession;
  if (seq < base.headSeq) return { ...emptySession, mustReload: true };
  const kept: Envelope[] = [];
  for (let past: FoldedEvent | null = state.since; past; past = past.before) {
    if (past.seq <= seq) kept.push(past.event as Envelope);
  }
  const back = foldAll({ ...base, checkpoint: state.checkpoint }, kept.reverse());
  return { ...back, lastEventId: from };
}

/** `state` stands at the event already; `beforeId` is the one before it. */
function apply(
  state: SessionState, { type, payload, meta }: Envelope, beforeId: string | null,
): SessionState {
  // A tool that was run by hand belongs to no turn, and is shown where it was run.
  const turnId = text(payload.turn_id) || text(payload.tool_call_id);
  switch (type) {
    case 'session.open':
      return { ...state, title: text(payload.title), paused: false, deleted: false };

    case 'session.state':
      return {
        ...state,
        paused: typeof payload.paused === 'boolean' ? payload.paused : state.paused,
        title: typeof payload.title === 'string' ? payload.title : state.title,
      };

    case 'session.close':
      return text(payload.reason) === 'deleted'
        ? { ...state, deleted: true }
        : { ...state, turns: [], paused: false };

    case 'message.user': {
      const messageId = text(payload.message_id);
      const user = {
        messageId,
        text: text(payload.text),
        createdAt: meta.created_at ?? '',
        idempotencyKey: meta.idempotency_key ?? '',
        attachments: attachmentRefs(payload.attachments),
      };
      const at = meta.event_id ?? '';
      const turn: Turn = {
        id: turnId || messageId, user, items: [], status: 'queued', recalled: null, beforeId, firstId: at, lastId: at,
      };
      return { ...state, turns: [...state.turns, turn] };
    }

    case 'memory.recall':
      return inTurn(state, turnId, (turn) => ({ ...turn, recalled: recalledOf(payload) }));

    case 'llm.request': {
      const answerId = text(payload.message_id);
      return inTurn(state, turnId, (turn) => {
        const kept = withoutSuperseded(turn.items, text(payload.supersedes), answerId);
        const started: Partial<Answer> = {
          attempt: number(payload.attempt) || 1,
          model: text(payload.model),
          instruction: text(payload.instruction),
          finish: null,
          whole: false,
        };
        const items = upsertAnswer(kept, answerId, (answer) => ({ ...answer, ...started }));
        return { ...turn, items, status: 'running' };
      });
    }

    case 'llm.delta':
      return foldDelta(state, turnId, payload);

    case 'llm.restart':
      return inAnswer(state, turnId, text(payload.message_id), (answer) => ({
        ...answer, text: emptyText, thinking: emptyText, thought: false, whole: false,
      }));

    case 'message.assistant': {
      const whole = text(payload.text);
      const told = inAnswer(state, turnId, text(payload.message_id), (answer) => ({
        ...answer,
        text: answer.text.text === whole ? answer.text : wholeText(whole),
        whole: true,
      }));
      return payload.final === true ? endTurn(told, turnId, finalStatus) : told;
    }

    case 'llm.complete':
      return foldComplete(state, turnId, payload);

    case 'tool.call': {
      const call: ToolCall = {
        kind: 'tool',
        id: text(payload.tool_call_id),
        toolId: text(payload.tool_id),
        inputs: payload.inputs,
        status: 'running',
        requestedBy: text(payload.requested_by),
        startedAt: meta.created_at ?? '',
        progress: '',
        output: undefined,
        error: '',
        errorCode: '',
        rule: '',
        durationMs: null,
      };
      return inTurn(state, turnId, (turn) => ({ ...turn, items: [...turn.items, call] }));
    }

    case 'tool.progress':
      return inTool(state, turnId, text(payload.tool_call_id), (call) => ({
        ...call, progress: (call.progress + text(payload.text)).slice(-progressKept),
      }));

    case 'tool.result':
      return inTool(state, turnId, text(payload.tool_call_id), (call) => ({
        ...call,
        status: text(payload.status) || 'success',
        output: payload.output,
        error: failureDetail(payload.error),
        errorCode: isRecord(payload.error) ? text(payload.error.code) : '',
        rule: ruleOf(payload.error),
        durationMs: typeof payload.duration_ms === 'number' ? payload.duration_ms : null,
      }));

    case 'app.event':
      return payload.name === 'soma.feedback' ? foldFeedback(state, meta.user_id ?? '', payload.data) : state;

    case 'error': {
      const failure = newFailure(meta.event_id ?? '', payload);
      const told = inTurn(state, turnId, (turn) => withFailure(turn, failure));
      return turnId === '' ? told : endTurn(told, turnId, () => 'failed');
    }

    default:
      return state;
  }
}

function foldDelta(
  state: SessionState, turnId: string, payload: Record<string, unknown>,
): SessionState {
  const offset = number(payload.offset);
  let gap = false;
  const next = inAnswer(state, turnId, text(payload.message_id), (answer) => {
    if (answer.whole) return answer; // a piece of the past, left in by a server that need not
    const part = typeof payload.thinking === 'string' ? 'thinking' : 'text';
    gap = offset > answer[part].bytes;
    return { ...answer, [part]: place(answer[part], offset, text(payload[part])) };
  });
  // A gap is met only after a reset into a message whose pieces a compact stream had left out.
  return gap ? { ...next, mustReload: true } : next;
}

function foldComplete(
  state: SessionState, turnId: string, payload: Record<string, unknown>,
): SessionState {
  const finish = text(payload.finish_reason);
  const told = inAnswer(state, turnId, text(payload.message_id), (answer) => ({
    ...answer, finish, thought: answer.thought || hasThought(payload),
  }));
  if (finish === 'cancelled') return endTurn(told, turnId, () => 'stopped');
  if (finish !== 'error') return told;
  // Until the turn's final message is there, an error only means another attempt.
  const failure = isRecord(payload.error)
    ? newFailure(text(payload.invocation_id), payload.error) : null;
  return inTurn(told, turnId, (turn) => {
    if (turn.status !== 'done') return turn;
    const failed: Turn = { ...turn, status: 'failed' };
    return failure ? withFailure(failed, failure) : failed;
  });
}

/** The latest of a reader counts; the answer it is about may lie in a part of the log that was not read. */
function foldFeedback(state: SessionState, who: string, data: unknown): SessionState {
  const said = feedbackOf(data);
  if (!said || !isRecord(data)) return state;
  const id = text(data.message_id);
  const about = state.turns.findLast(({ items }) => items.some((i) => i.kind === 'answer' && i.id === id));
  if (!about) return state;
  const items = upsertAnswer(about.items, id, (answer) => ({
    ...answer, feedback: { ...answer.feedback, [who]: said },
  }));
  return { ...state, turns: state.turns.map((turn) => (turn === about ? { ...turn, items } : turn)) };
}

/** A model may also have thought and not told what. */
function hasThought({ thinking_bytes, usage }: Record<string, unknown>): boolean {
  return number(thinking_bytes) > 0 || (isRecord(usage) && number(usage.reasoning_tokens) > 0);
}

/** A stop while only tools ran leaves no model call to say `cancelled`. */
function finalStatus(turn: Turn): TurnStatus {
  const last = turn.items.at(-1);
  const empty = last?.kind === 'answer' && last.text.text === '';
  const stopped = turn.items.some((item) => item.kind === 'tool' && item.status === 'cancelled');
  return empty && stopped ? 'stopped' : 'done';
}

/** A retry names the answer it replaces: with it goes all that the turn had come to. */
function withoutSuperseded(
  items: readonly Item[], superseded: string, answerId: string,
): readonly Item[] {
  if (superseded !== '' && superseded !== answerId && items.some((i) => i.id === superseded)) {
    return [];
  }
  return items.some((i) => i.kind === 'failure') ? items.filter((i) => i.kind !== 'failure') : items;
}

function upsertAnswer(
  items: readonly Item[], id: string, change: (answer: Answer) => Answer,
): readonly Item[] {
  const at = items.findLastIndex((item) => item.kind === 'answer' && item.id === id);
  if (at < 0) return [...items, change(newAnswer(id))];
  return replaced(items, at, change(items[at] as Answer));
}

function withFailure(turn: Turn, failure: Failure): Turn {
  const last = turn.items.at(-1);
  const twice = last?.kind === 'failure' && last.code === failure.code;
  return { ...turn, items: [...(twice ? turn.items.slice(0, -1) : turn.items), failure] };
}

function inAnswer(
  state: SessionState, turnId: string, id: string, change: (answer: Answer) => Answer,
): SessionState {
  return inTurn(state, turnId, (turn) => ({
    ...turn, items: upsertAnswer(turn.items, id, change),
  }));
}

function inTool(
  state: SessionState, turnId: string, id: string, change: (call: ToolCall) => ToolCall,
): SessionState {
  return inTurn(state, turnId, (turn) => {
    const at = turn.items.findLastIndex((item) => item.kind === 'tool' && item.id === id);
    if (at < 0) return turn;
    return { ...turn, items: replaced(turn.items, at, change(turn.items[at] as ToolCall)) };
  });
}

function endTurn(
  state: SessionState, turnId: string, status: (turn: Turn) => TurnStatus,
): SessionState {
  return inTurn(state, turnId, (turn) => ({ ...turn, status: status(turn) }));
}

/** Changes the turn of that id, which is nearly always the last; one that is not known is made. */
function inTurn(state: SessionState, id: string, change: (turn: Turn) => Turn): SessionState {
  const at = state.turns.findLastIndex((turn) => turn.id === id);
  if (at < 0) {
    const here = state.lastEventId ?? '';
    const loose: Turn = {
      id, user: null, items: [], status: 'done', recalled: null, beforeId: null, firstId: here, lastId: here,
    };
    const begun = change(loose);
    return begun === loose ? state : { ...state, turns: [...state.turns, begun] };
  }
  const turn = state.turns[at] as Turn;
  const changed = change(turn);
  if (changed === turn) return state;
  const stamped = { ...changed, lastId: state.lastEventId ?? turn.lastId };
  return { ...state, turns: replaced(state.turns, at, stamped) };
}

function replaced<Element>(list: readonly Element[], at: number, by: Element): Element[] {
  const copy = list.slice();
  copy[at] = by;
  return copy;
}

function newFailure(id: string, payload: Record<string, unknown>): Failure {
  return {
    kind: 'failure',
    id,
    code: text(payload.code),
    detail: text(payload.detail),
    rule: ruleOf(payload),
    retryable: payload.retryable === true,
    requestId: text(payload.request_id),
  };
}

/** Whether the last turn may be asked for again. */
export function canRetry(state: SessionState): boolean {
  const last = state.turns.at(-1);
  return last !== undefined && last.user !== null && isOver(last) && !state.paused;
}
