import { useMemo, useState } from 'preact/hooks';
import { request } from '../../kernel/api/http';
import type { Envelope, EventPage } from '../../kernel/api/types';
import { forkAt } from '../chat/fork';
import { Timeline } from '../../kernel/session/timeline';
import type { PlaceProps } from '../../ui/place';
import { Toasts } from '../../kernel/toasts';
import { useWorkspace } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { TurnView } from '../chat/turn_view';
import { Dialog, Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { texts as chatTexts } from '../chat/texts';
import { texts } from './texts';
import { titles } from './titles';
import './log.css';

const turnsShown = 12;

/** The session as it was at any of its events, and a way to go on from there. */
export function TravelModal({ sessionId, onClose }: PlaceProps<string>) {
  const [got, setGot] = useState(0);
  const [read, again] = useRead(async () => new Timeline(await readAll(sessionId, setGot)));
  return (
    <Dialog title={titles.travel} onClose={onClose} wide>
      {read.is === 'reading' && <><p class="settings-hint">{texts.travel.got(got)}</p><Loading /></>}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      {read.is === 'read' && (
        <Travel sessionId={sessionId} timeline={read.value} />
      )}
    </Dialog>
  );
}

interface TravelProps {
  sessionId: string;
  timeline: Timeline;
}

function Travel({ sessionId, timeline }: TravelProps) {
  const workspace = useWorkspace();
  const { attempt, say } = workspace.of(Toasts);
  const { events } = timeline;
  const [count, setCount] = useState(events.length);
  const state = useMemo(() => timeline.at(count), [timeline, count]);
  const event = events[count - 1];
  const id = event?.meta.event_id;
  const words = event ? texts.travel.at(count, events.length, event.type, when(event)) : texts.travel.nothing;
  const fork = () => void attempt(async () => {
    if (id === undefined) return;
    await forkAt(workspace, sessionId, id);
    say(chatTexts.did.forked);
  });
  return (
    <>
      <div class="travel">
        <button type="button" class="quiet" aria-label={texts.travel.back} disabled={count <= 1}
          onClick={() => setCount(count - 1)}><Icon name="back" /></button>
        <input type="range" min={1} max={events.length} value={count} aria-label={texts.travel.slider}
          aria-valuetext={words} onInput={(e) => setCount(Number(e.currentTarget.value))} />
        <button type="button" class="quiet" aria-label={texts.travel.forth} disabled={count >= events.length}
          onClick={() => setCount(count + 1)}><Icon name="chevron" /></button>
        <button type="button" class="primary" onClick={fork}>
          <Icon name="branch" /><span>{texts.travel.fork}</span>
        </button>
      </div>
      <p class="settings-hint">{words}{state.paused && ` · ${chatTexts.chat.paused}`}</p>
      {state.turns.length === 0 && <p class="settings-hint">{texts.travel.empty}</p>}
      {state.turns.slice(-turnsShown).map((turn) => (
        <TurnView key={turn.id} turn={turn} actions={null} waiting={turn.status === 'queued'}
          working={turn.status === 'running'} isLast={false} canRetry={false} />
      ))}
    </>
  );
}

function when({ meta }: Envelope): string {
  return meta.created_at ? new Date(meta.created_at).toLocaleString() : '';
}

async function readAll(sessionId: string, onGot: (count: number) => void): Promise<Envelope[]> {
  const events: Envelope[] = [];
  for (let after = 'start'; ;) {
    const query = new URLSearchParams({ after, limit: '500', compact: 'true' });
    const page = await request<EventPage>(`sessions/${encodeURIComponent(sessionId)}/events?${query}`);
    events.push(...page.events);
    onGot(events.length);
    if (page.next_cursor === null) return events;
    after = page.next_cursor;
  }
}
