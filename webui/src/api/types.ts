/** What the gateway sends, as `schemas/` describes it. Field names are the wire's. */

export interface EventMeta {
  /** `<epoch>.<seq>`; absent on heartbeats, resets and the tenant stream. */
  event_id?: string;
  request_id?: string;
  idempotency_key?: string;
  tenant_id?: string;
  user_id?: string;
  session_id?: string;
  created_at?: string;
}

export interface Envelope {
  version?: string;
  meta: EventMeta;
  type: string;
  payload: Record<string, unknown>;
}

export interface SessionInfo {
  session_id: string;
  title: string;
  created_at: string;
  updated_at: string;
  last_event_id: string;
  /** A turn runs or waits. */
  busy: boolean;
}

export interface SessionPage {
  sessions: SessionInfo[];
  next_cursor?: string | null;
}

export interface MessageAccepted {
  envelope_id: string;
  session_id: string;
  message_id: string;
  event_id: string;
  status: 'queued';
}

export interface Identity {
  tenant_id: string;
  user_id: string;
}

export interface RuntimeConfig {
  flags?: Record<string, unknown>;
  degraded?: string[];
}

export type SessionAction =
  | 'nudge' | 'stop' | 'pause' | 'resume' | 'retry' | 'restart' | 'summarize';

/** Every type a session's stream may carry that the page folds. */
export const sessionEventTypes = [
  'session.open', 'message.user', 'memory.recall', 'llm.request', 'llm.delta', 'llm.complete',
  'llm.restart', 'message.assistant', 'tool.call', 'tool.progress', 'tool.result', 'memory.write',
  'session.state', 'error', 'session.close', 'stream.reset',
] as const;

export const tenantEventTypes = [
  'session.list', 'settings.changed', 'health.changed', 'catalog.changed', 'memory.changed',
  'usage.capped',
] as const;
