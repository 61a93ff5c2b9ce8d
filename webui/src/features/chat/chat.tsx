import { useCallback, useRef, useState } from 'preact/hooks';
import { Outbox, type Outgoing } from '../../kernel/outbox';
import type { SessionStore } from '../../kernel/session/session_store';
import { activeTurn, emptySession, type SessionState } from '../../kernel/session/state';
import { CurrentChat } from './current';
import { leaveMessage, select } from '../../kernel/route';
import { usePart } from '../../ui/use_part';
import { Uploads } from '../files/attach';
import { Toasts } from '../../kernel/toasts';
import { ChatHeader } from './chat_header';
import { Composer } from './composer';
import { dropZone } from '../files/drop_zone';
import { Icon, Mark } from '../../ui/icon';
import { ServerBanners } from './notices';
import { OutgoingView } from './outgoing';
import { steer } from './steer';
import { Transcript } from './transcript';
import { Turns, turnsAtOnce } from './turns';
import { useWantedTurn } from './wanted_turn';
import { texts } from './texts';
import { texts as filesTexts } from '../files/texts';
import { t } from '../../kernel/texts/texts';
import './chat.css';

export function Chat({ onMenu, menuOpen }: { onMenu: () => void; menuOpen: boolean }) {
  const store = usePart(CurrentChat).store.value;
  const outbox = usePart(Outbox);
  const uploads = usePart(Uploads);
  const toasts = usePart(Toasts);
  const state = store?.state.value ?? emptySession;
  const id = store?.id ?? null;
  const gone = store?.gone.value ?? false;
  const outgoing = outgoingOf(outbox.entries.value, id, state);
  const active = activeTurn(state);
  const busy = active !== undefined;
  const wanted = useWantedTurn(store, state);
  const [sent, setSent] = useState(0);
  const [dropping, setDropping] = useState(false);
  const taker = { isOpen: () => uploads.max > 0, take: (files: File[]) => uploads.attach(id ?? 'new', files) };
  const undrawn = useRef(0);
  // One page ahead of what is drawn, and no more; what goes wrong is told by the button that draws it.
  const older = useCallback(() => {
    if (undrawn.current < turnsAtOnce) void store?.readOlder().catch(() => {});
  }, [store]);

  return (
    <main class="chat" inert={menuOpen} {...(gone ? {} : dropZone(taker, dropping, setDropping))}>
      {dropping && <div class="drop-here" aria-hidden="true">{filesTexts.drop}</div>}
      <ChatHeader store={store} state={state} onMenu={onMenu} menuOpen={menuOpen} />
      <ServerBanners />
      {gone ? <Gone /> : (
        <>
          {id === null && outgoing.length === 0 ? <Greeting /> : (
            <Transcript follow={`${id} ${sent}`} wanted={wanted} onLatest={leaveMessage}
              onNearStart={store?.hasOlder.value ? older : null}>
              {store && state.headSeq === 0 && outgoing.length === 0 && <Skeleton />}
              {store && <Turns key={store.id} store={store} state={state} undrawn={undrawn} wanted={wanted?.turnId ?? null} />}
              {outgoing.map((entry) => (
                <OutgoingView key={entry.key} entry={entry} queued={busy} />
              ))}
              <p class="unseen" role="status">{busy ? texts.chat.answering : ''}</p>
            </Transcript>
          )}
          <div class="dock">
            {store && state.paused && <Paused store={store} state={state} />}
            <Composer chat={id ?? 'new'} store={store} busy={busy}
              disabled={id === null && outgoing.some((entry) => entry.phase !== 'refused')}
              onSend={(text, files) => { leaveMessage(); outbox.send(id, text, files); setSent(sent + 1); }}
              onStop={store && active?.status === 'running' ? () => steer(toasts, store, 'stop') : null} />
            <p class="fine">{texts.composer.keys}</p>
          </div>
        </>
      )}
    </main>
  );
}

function Paused({ store, state }: { store: SessionStore; state: SessionState }) {
  const toasts = usePart(Toasts);
  const waiting = state.turns.filter((turn) => turn.status === 'queued').length;
  return (
    <div class="notice" role="status">
      <Icon name="pause" />
      <p><strong>{texts.chat.paused}</strong>{waiting > 0 && ` ${texts.chat.waiting(waiting)}`}</p>
      <button type="button" class="small" onClick={() => steer(toasts, store, 'resume')}>
        <Icon name="play" /><span>{texts.chat.resume}</span>
      </button>
    </div>
  );
}

function Greeting() {
  return (
    <div class="greeting">
      <Mark />
      <h2>{texts.greeting.title}</h2>
      <p>{texts.greeting.text}</p>
    </div>
  );
}

function Gone() {
  return (
    <div class="greeting">
      <Mark />
      <h2>{texts.gone.title}</h2>
      <p>{texts.gone.text}</p>
      <button type="button" class="primary" onClick={() => select(null)}>
        <Icon name="plus" /><span>{t.newChat}</span>
      </button>
    </div>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" role="status" aria-label={texts.chat.opening}>
      <i /><i /><i /><i />
    </div>
  );
}

/** What was sent from here and is not yet in the log. */
function outgoingOf(entries: readonly Outgoing[], id: string | null, state: SessionState) {
  const seen = new Set(state.turns.map((turn) => turn.user?.idempotencyKey));
  return entries.filter((entry) => entry.sessionId === id && !seen.has(entry.key));
}
