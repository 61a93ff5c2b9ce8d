import type { components } from './schema';

/** What the gateway sends and takes, as `schemas/openapi.json` describes it. Field names are the wire's. */
type Schemas = components['schemas'];

/** An event; of a heartbeat, a reset and the tenant's stream some members of `meta` are absent. */
export interface Envelope {
  version?: string;
  meta: Partial<Schemas['event']['meta']>;
  type: Schemas['event']['type'];
  payload: Schemas['event']['payload'];
}

export type EventPage = Omit<Schemas['event_page'], 'events'> & { events: Envelope[] };

/** What the page needs to know of them; servers and streams may tell more. */
type Sharing = Pick<Schemas['session'], 'visibility' | 'shared_with'>;
export type SessionInfo = Omit<Schemas['session'], 'persona_id' | 'paused' | keyof Sharing> & Partial<Sharing>;
export type SessionPage = Omit<Schemas['session_page'], 'sessions'> & { sessions: SessionInfo[] };
export type Identity = Pick<Schemas['identity'], 'tenant_id' | 'user_id' | 'role'>;

export type ActionResult = Schemas['action_result'];
export type AuditHead = Schemas['audit_head'];
export type AuditPage = Schemas['audit_page'];
export type AuditRecord = Schemas['audit_record'];
export type Attachment = Schemas['attachment'];
export type ContextWindow = Schemas['context_window'];
export type Credential = Schemas['credential'];
export type DeadLetterPage = Schemas['dead_letter_page'];
export type DocumentForgotten = Schemas['document_forgotten'];
export type DocumentImported = Schemas['document_imported'];
export type Health = Schemas['health'];
export type History = Schemas['history'];
export type Imported = Schemas['import_result'];
export type Key = Schemas['key_list']['keys'][number];
export type KeyCreated = Schemas['key_created'];
export type Memory = Schemas['memory'];
export type MemoryChange = Schemas['memory_change'];
export type MemoryDocuments = Schemas['memory_documents'];
/** In the order in which they fit, where words were asked for. */
export type MemoryFound = Omit<Schemas['memory_found'], 'memories'> & { memories: Memory[] };
export type MemoryKind = Schemas['memory_kind'];
export type MemoryPage = Schemas['memory_page'];
export type MemoryRecalled = Schemas['memory_recalled'];
export type MemoryStatus = Schemas['memory_status'];
export type MemorySynced = Schemas['memory_synced'];
export type MemoryUses = Schemas['memory_uses'];
export type MessageAccepted = Schemas['message_result'];
export type ModelProfile = Schemas['model_profile'];
export type ModelProfileWrite = Schemas['model_profile_write'];
/** A test that this page could not even ask for has no more than that. */
export type ModelTest = Pick<Schemas['llm_test_answer'], 'ok' | 'latency_ms'> & Partial<Schemas['llm_test_answer']>;
/** Nothing of it is known before it was read. */
export type RuntimeConfig = Partial<Schemas['runtime_config']>;
export type SessionAction = Schemas['action']['action'];
export type SignedOut = Schemas['signed_out'];
export type SignInMethods = Schemas['sign_in_methods'];
export type TenantSettings = Schemas['settings'];
export type ToolEntry = Schemas['tool_entry'];
export type ToolLimits = Schemas['tool_limits'];
export type ToolOffer = Schemas['tool_offer'];
export type UsageReport = Pick<Schemas['usage_report'], 'today' | 'caps'>;
export type WireKind = ModelProfile['kind'];
export type WorkList = Schemas['work_list'];
export type WorkEntry = WorkList['entries'][number];
export type WorkText = Schemas['work_text'];

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
