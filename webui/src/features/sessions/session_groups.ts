import type { SessionInfo } from '../../kernel/api/types';
import { texts } from './texts';

/** A line of the session list. */
export type ListLine =
  | { readonly kind: 'heading'; readonly name: string }
  | { readonly kind: 'session'; readonly session: SessionInfo; readonly at: number };

const dayMs = 86_400_000;

/** The sessions, which come newest first, under the days they were last used. */
export function linesOf(sessions: readonly SessionInfo[], now: number): ListLine[] {
  const today = new Date(now).setHours(0, 0, 0, 0);
  const lines: ListLine[] = [];
  let before = '';
  sessions.forEach((session, at) => {
    const used = Date.parse(session.updated_at);
    const name =
      used >= today ? texts.list.today
      : used >= today - dayMs ? texts.list.yesterday
      : used >= today - 7 * dayMs ? texts.list.lastWeek
      : texts.list.earlier;
    if (name !== before) lines.push({ kind: 'heading', name });
    before = name;
    lines.push({ kind: 'session', session, at });
  });
  return lines;
}
