import { request } from '../api/http';
import type { Envelope, EventPage } from '../api/types';
import { foldAll, seqOf } from './fold';
import { emptySession, type Turn } from './state';

const pageEvents = 500;
/** Of a turn with more pieces than these pages have, only the beginning of the thoughts is read. */
const pagesMax = 40;

/**
 * What was thought for an answer: a compact reading of the log leaves it out. '' where the provider
 * did not tell.
 */
export async function readThoughts(sessionId: string, turn: Turn, answerId: string): Promise<string> {
  const pieces: Envelope[] = [];
  let after = turn.firstId;
  for (let pages = 0; pages < pagesMax; pages++) {
    const query = new URLSearchParams({ after, types: 'llm.delta,llm.restart', limit: String(pageEvents) });
    const page = await request<EventPage>(`sessions/${encodeURIComponent(sessionId)}/events?${query}`);
    pieces.push(...page.events);
    if (page.next_cursor === null || seqOf(page.next_cursor) >= seqOf(turn.lastId)) break;
    after = page.next_cursor;
  }
  return thoughtsIn(pieces, answerId);
}

export function thoughtsIn(pieces: readonly Envelope[], answerId: string): string {
  const own = pieces.filter(({ payload }) => payload.message_id === answerId);
  const items = foldAll(emptySession, own).turns.flatMap((turn) => turn.items);
  const answer = items.find(({ kind, id }) => kind === 'answer' && id === answerId);
  return answer?.kind === 'answer' ? answer.thinking.text : '';
}
