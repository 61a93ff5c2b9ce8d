import { request } from '../../kernel/api/http';
import { newKey } from '../../kernel/api/new_key';
import type { EventPage, SessionInfo } from '../../kernel/api/types';
import { SessionList } from '../sessions/session_list';
import type { Workspace } from '../../kernel/workspace';
import { select } from '../../kernel/route';
import { Outbox } from '../../kernel/outbox';
import type { Turn } from '../../kernel/session/state';
import { texts } from './texts';

/** Makes a session whose past is this one's up to and with an event, and shows it. */
export async function forkAt(workspace: Workspace, sessionId: string, eventId: string): Promise<string> {
  const made = await request<SessionInfo>(`sessions/${encodeURIComponent(sessionId)}/fork`, {
    method: 'POST', body: { event_id: eventId }, idempotencyKey: newKey(),
  });
  workspace.of(SessionList).add([made]);
  // Made for somebody who is not here any more, it is in their list.
  if (!workspace.ended.aborted) select(made.session_id);
  return made.session_id;
}

/** Asks again with other words, in a fork that knows nothing of what came after. */
export async function sendInFork(workspace: Workspace, sessionId: string, turn: Turn, text: string): Promise<void> {
  const before = turn.beforeId ?? (await eventBefore(sessionId, turn.firstId));
  const id = await forkAt(workspace, sessionId, before);
  workspace.of(Outbox).send(id, text, turn.user?.attachments ?? []);
}

async function eventBefore(sessionId: string, eventId: string): Promise<string> {
  const query = new URLSearchParams({ before: eventId, limit: '1' });
  const page = await request<EventPage>(`sessions/${encodeURIComponent(sessionId)}/events?${query}`);
  const id = page.events[0]?.meta.event_id;
  if (id === undefined) throw new Error(texts.nothingBefore);
  return id;
}
