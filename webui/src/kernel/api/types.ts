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
  message_count?: number;
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
  role: 'admin' | 'user';
}

export type WireKind = 'openai_chat' | 'openai_responses' | 'anthropic';

export interface ModelParameters {
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
  stop?: string[];
  reasoning_effort?: string;
  extra?: Record<string, unknown>;
}

/** US dollars a million tokens. */
export interface ModelPrices {
  input?: number;
  cached_input?: number;
  output?: number;
}

export interface ModelProfile {
  name: string;
  role: string;
  provider: string;
  kind: WireKind;
  model: string;
  base_url: string;
  parameters: ModelParameters;
  images?: boolean;
  resume: 'restart' | 'prefill';
  context_window: number;
  prices?: ModelPrices;
  fallbacks: string[];
  enabled: boolean;
  /** Speaks for its role before all others. */
  preferred?: boolean;
  source: 'configuration' | 'tenant';
}

/** All that is ever told of a stored key. */
export interface Credential {
  provider: string;
  fingerprint: string;
  created_at: string;
  updated_at: string;
}

export interface ModelTest {
  provider?: string;
  ok: boolean;
  latency_ms: number;
  first_token_ms?: number;
  code?: string;
  diagnosis?: string;
  models?: string[];
}

export interface UsageReport {
  today: { tokens: number; cost_usd: number; in_flight: number };
  /** 0 is no cap. */
  caps: {
    tokens_a_day: number; cost_usd_a_day: number; concurrent: number; requests_a_minute: number;
  };
}

export interface RuntimeConfig {
  version?: string;
  limits?: Record<string, number>;
  profiles?: string[];
  flags?: Record<string, unknown>;
  degraded?: string[];
}

export interface Attachment {
  id: string;
  filename: string;
  content_type: string;
  size_bytes: number;
  status: 'clean' | 'pending' | 'quarantined';
}

export interface EventPage {
  session_id: string;
  events: Envelope[];
  next_cursor: string | null;
}

export interface ActionResult {
  session_id: string;
  action: string;
  event_id?: string;
  status: 'done' | 'started';
}

export type SessionAction =
  | 'nudge' | 'stop' | 'pause' | 'resume' | 'retry' | 'restart' | 'summarize';

/** Every type a session's stream may carry that the page folds. */
export const sessionEventTypes = [
  'session.open', 'message.user', 'memory.recall', 'llm.request', 'llm.delta', 'llm.complete',
  'llm.restart', 'message.assistant', 'tool.call', 'tool.progress', 'tool.result', 'memory.write',
  'session.state', 'app.event', 'error', 'session.close', 'stream.reset',
] as const;

export const tenantEventTypes = [
  'session.list', 'settings.changed', 'health.changed', 'catalog.changed', 'memory.changed',
  'usage.capped',
] as const;
