import { request } from '../../kernel/api/http';
import type { Envelope, EventPage } from '../../kernel/api/types';
import { foldAll, seqOf } from '../../kernel/session/fold';
import { emptySession } from '../../kernel/session/state';
import type { Params } from '../../kernel/route';
import type { PlaceProps } from '../../ui/place';
import { CopyButton } from '../../ui/copy_button';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { Dialog, Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { texts as chatTexts } from '../chat/texts';
import { texts } from './texts';
import { titles } from './titles';
import { t } from '../../kernel/texts/texts';
import './log.css';

/** The events of one turn: those that name it, in this stretch of the log. */
interface EventSpan {
  readonly turnId: string;
  readonly beforeId: string | null;
  readonly lastId: string;
}

function spanOf({ turn = '', before, last = '' }: Params): EventSpan {
  return { turnId: turn, beforeId: before ?? null, lastId: last };
}

const pagesMax = 20;

/** One turn as the log has it. */
export function EventsModal({ sessionId, params, onClose }: PlaceProps<string>) {
  const [read, again] = useRead(() => readEvents(sessionId, spanOf(params)));
  const events = read.is === 'read' ? read.value : [];
  const thoughts = thoughtsIn(events);
  const asText = () => events.map((event) => JSON.stringify(event)).join('\n');
  return (
    <Dialog title={titles.events} onClose={onClose} wide
      actions={events.length > 0 && <CopyButton label={t.copy} text={asText} />}>
      {read.is === 'reading' && <Loading />}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      {read.is === 'read' && <p class="settings-hint">{texts.events.count(events.length)}</p>}
      {thoughts !== '' && (
        <details class="thinking">
          <summary><Icon name="chevron" />{chatTexts.chat.thought}</summary>
          <div class="thinking-text" dir="auto">{thoughts}</div>
        </details>
      )}
      {events.map((event) => (
        <details key={event.meta.event_id} class="card part">
          <summary>
            <code>{event.meta.event_id}</code><strong>{event.type}</strong>
            <span class="tool-gist">{JSON.stringify(event.payload).slice(0, 160)}</span>
          </summary>
          <pre tabIndex={0} aria-label={event.type}>{JSON.stringify(event, null, 2)}</pre>
        </details>
      ))}
    </Dialog>
  );
}

/** What was thought: after a reload it is nowhere else. */
function thoughtsIn(events: readonly Envelope[]): string {
  return foldAll(emptySession, events).turns
    .flatMap(({ items }) => items)
    .map((item) => (item.kind === 'answer' ? item.thinking.text : ''))
    .filter((text) => text !== '')
    .join('\n\n');
}

async function readEvents(sessionId: string, span: EventSpan): Promise<Envelope[]> {
  const found: Envelope[] = [];
  let after = span.beforeId ?? 'start';
  for (let pages = 0; pages < pagesMax; pages++) {
    const query = new URLSearchParams({ after, limit: '500' });
    const page = await request<EventPage>(`sessions/${encodeURIComponent(sessionId)}/events?${query}`);
    found.push(...page.events.filter(({ payload }) => payload.turn_id === span.turnId));
    if (page.next_cursor === null || seqOf(page.next_cursor) >= seqOf(span.lastId)) break;
    after = page.next_cursor;
  }
  return found;
}
