import { request } from '../../kernel/api/http';
import { newKey } from '../../kernel/api/new_key';
import type { EventPage, SessionInfo } from '../../kernel/api/types';
import { addSessions } from '../sessions/session_list';
import { t } from '../../kernel/texts/texts';
import { select } from '../../kernel/route';
import { send } from '../../kernel/outbox';
import type { Turn } from '../../kernel/session/state';

/** Makes a session whose past is this one's up to and with an event, and shows it. */
export async function forkAt(sessionId: string, eventId: string): Promise<string> {
  const made = await request<SessionInfo>(`sessions/${encodeURIComponent(sessionId)}/fork`, {
    method: 'POST', body: { event_id: eventId }, idempotencyKey: newKey(),
  });
  addSessions([made]);
  select(made.session_id);
  return made.session_id;
}

/** Asks again with other words, in a fork that knows nothing of what came after. */
export async function sendInFork(sessionId: string, turn: Turn, text: string): Promise<void> {
  const before = turn.beforeId ?? (await eventBefore(sessionId, turn.firstId));
  const id = await forkAt(sessionId, before);
  send(id, text, turn.user?.attachments ?? []);
}

async function eventBefore(sessionId: string, eventId: string): Promise<string> {
  const query = new URLSearchParams({ before: eventId, limit: '1' });
  const page = await request<EventPage>(`sessions/${encodeURIComponent(sessionId)}/events?${query}`);
  const id = page.events[0]?.meta.event_id;
  if (id === undefined) throw new Error(t.nothingBefore);
  return id;
}
