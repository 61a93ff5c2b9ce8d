import { useCallback, useEffect, useState } from 'preact/hooks';
import type { SessionAction } from '../api/types';
import { canRetry } from '../session/fold';
import { outbox, send } from '../session/outbox';
import type { SessionStore } from '../session/session_store';
import { activeTurn, emptySession, type SessionState } from '../session/state';
import { current } from '../state/current';
import { select } from '../state/route';
import { connection, titleOf } from '../state/session_list';
import { Composer } from './composer';
import { ConnectionChip } from './connection_chip';
import { Icon, Mark } from './icon';
import { attempt, ServerBanners, TroubleNotice } from './notices';
import { OutgoingView } from './outgoing';
import { Transcript } from './transcript';
import { TurnView } from './turn_view';

const turnsAtOnce = 40;

export function Chat({ onMenu, menuOpen }: { onMenu: () => void; menuOpen: boolean }) {
  const store = current.value;
  const state = store?.state.value ?? emptySession;
  const id = store?.id ?? null;
  const gone = store?.gone.value ?? false;
  const outgoing = outgoingOf(id, state);
  const active = activeTurn(state);
  const busy = active !== undefined;
  const [sent, setSent] = useState(0);

  return (
    <main class="chat" inert={menuOpen}>
      <Header store={store} state={state} onMenu={onMenu} menuOpen={menuOpen} />
      <ServerBanners />
      {gone ? <Gone /> : (
        <>
          {id === null && outgoing.length === 0 ? <Greeting /> : (
            <Transcript follow={`${id} ${sent}`}>
              {store && state.headSeq === 0 && outgoing.length === 0 && <Skeleton />}
              {store && <Turns key={store.id} store={store} state={state} />}
              {outgoing.map((entry) => (
                <OutgoingView key={entry.key} entry={entry} queued={busy} />
              ))}
              <p class="unseen" role="status">{busy ? 'The agent is answering' : ''}</p>
            </Transcript>
          )}
          <div class="dock">
            <TroubleNotice />
            {store && state.paused && <Paused store={store} state={state} />}
            <Composer chat={id ?? 'new'} busy={busy}
              disabled={id === null && outgoing.some((entry) => entry.phase !== 'refused')}
              onSend={(text) => { send(id, text); setSent(sent + 1); }}
              onStop={store && active?.status === 'running' ? () => act(store, 'stop') : null} />
            <p class="fine">Enter sends, Shift + Enter starts a new line.</p>
          </div>
        </>
      )}
    </main>
  );
}

/** The newest turns; a long past is drawn only when it is asked for. */
function Turns({ store, state }: { store: SessionStore; state: SessionState }) {
  const [room, setRoom] = useState(turnsAtOnce);
  const active = activeTurn(state);
  const first = Math.max(0, state.turns.length - room);
  const last = state.turns.length - 1;
  const retry = useCallback(() => act(store, 'retry'), [store]);
  const more = (event: Event) => {
    const box = (event.currentTarget as Element).closest('.scroller');
    const below = box ? box.scrollHeight - box.scrollTop : 0;
    setRoom(room + turnsAtOnce);
    requestAnimationFrame(() => box && (box.scrollTop = box.scrollHeight - below));
  };
  return (
    <>
      {first > 0 && (
        <button type="button" class="small earlier" onClick={more}>Show earlier messages</button>
      )}
      {state.turns.slice(first).map((turn, i) => (
        <TurnView key={turn.id || `loose${first + i}`} turn={turn}
          waiting={turn.status === 'queued' && (turn !== active || state.paused)}
          working={turn === active && !(turn.status === 'queued' && state.paused)}
          onRetry={first + i === last && canRetry(state) ? retry : null} />
      ))}
    </>
  );
}

interface HeaderProps {
  store: SessionStore | null;
  state: SessionState;
  onMenu: () => void;
  menuOpen: boolean;
}

function Header({ store, state, onMenu, menuOpen }: HeaderProps) {
  const title = store ? titleOf(store.id) || state.title || firstWords(state) : 'New chat';
  const shown = store && !store.gone.value ? store.connection.value : connection.value;
  useEffect(() => {
    document.title = store ? `${title} · SomaAgent01` : 'SomaAgent01';
  }, [title, store]);
  return (
    <header class="chat-head">
      <button type="button" class="quiet menu-button" onClick={onMenu} aria-label="Show the chats"
        aria-expanded={menuOpen} aria-controls="sidebar">
        <Icon name="menu" />
      </button>
      <h1 title={title}>{title}</h1>
      <ConnectionChip state={shown} />
      {store && !store.gone.value && state.turns.length > 0 && (
        <button type="button" class="quiet"
          title={state.paused ? 'Resume' : 'Pause: finish this step, start no other'}
          aria-label={state.paused ? 'Resume the session' : 'Pause the session'}
          onClick={() => act(store, state.paused ? 'resume' : 'pause')}>
          <Icon name={state.paused ? 'play' : 'pause'} />
        </button>
      )}
    </header>
  );
}

function Paused({ store, state }: { store: SessionStore; state: SessionState }) {
  const waiting = state.turns.filter((turn) => turn.status === 'queued').length;
  const what = waiting === 0 ? '' : waiting === 1
    ? ' One message is waiting.' : ` ${waiting} messages are waiting.`;
  return (
    <div class="notice" role="status">
      <Icon name="pause" />
      <p><strong>Paused.</strong>{what}</p>
      <button type="button" class="small" onClick={() => act(store, 'resume')}>
        <Icon name="play" /><span>Resume</span>
      </button>
    </div>
  );
}

function Greeting() {
  return (
    <div class="greeting">
      <Mark />
      <h2>What shall we work on?</h2>
      <p>
        Every word is written down before you see it. Close the page, lose the network, restart
        the server: the answer goes on where it was.
      </p>
    </div>
  );
}

function Gone() {
  return (
    <div class="greeting">
      <Mark />
      <h2>This chat is not here any more</h2>
      <p>It was deleted, or it belongs to someone else.</p>
      <button type="button" class="primary" onClick={() => select(null)}>
        <Icon name="plus" /><span>New chat</span>
      </button>
    </div>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" role="status" aria-label="Opening the chat">
      <i /><i /><i /><i />
    </div>
  );
}

function act(store: SessionStore, action: SessionAction): void {
  void attempt(() => store.act(action));
}

/** What was sent from here and is not yet in the log. */
function outgoingOf(id: string | null, state: SessionState) {
  const seen = new Set(state.turns.map((turn) => turn.user?.idempotencyKey));
  return outbox.value.filter((entry) => entry.sessionId === id && !seen.has(entry.key));
}

function firstWords(state: SessionState): string {
  return state.turns[0]?.user?.text.split('\n')[0]?.slice(0, 80) ?? '';
}

