import { useCallback, useMemo, useRef, useState } from 'preact/hooks';
import { sendInFork } from './fork';
import { canRetry } from '../../kernel/session/fold';
import type { SessionStore } from '../../kernel/session/session_store';
import { activeTurn, type SessionState, type Turn } from '../../kernel/session/state';
import { Toasts } from '../../kernel/toasts';
import { useWorkspace } from '../../ui/use_part';
import { steer, stopCall } from './steer';
import { TurnView, type TurnActions } from './turn_view';
import { texts } from './texts';

export const turnsAtOnce = 40;

interface Props {
  store: SessionStore;
  state: SessionState;
  /** Set to how many turns were read and are not drawn: so many need not be fetched ahead. */
  undrawn: { current: number };
}

/** The newest turns; a long past is drawn, and read, only when it is asked for. */
export function Turns({ store, state, undrawn }: Props) {
  const workspace = useWorkspace();
  const toasts = workspace.of(Toasts);
  const [room, setRoom] = useState(turnsAtOnce);
  const hasOlder = store.hasOlder.value;
  const turns = hasOlder ? withoutHalf(state.turns) : state.turns;
  const active = activeTurn(state);
  // What is drawn stays drawn when more comes behind it: somebody may be writing in it.
  const drawnFrom = useRef('');
  const was = turns.findIndex((turn) => turn.id === drawnFrom.current);
  const least = Math.max(0, turns.length - room);
  const first = was < 0 ? least : Math.min(was, least);
  drawnFrom.current = turns[first]?.id ?? '';
  undrawn.current = first;
  const last = turns.length - 1;
  const actions = useMemo<TurnActions>(() => ({
    sessionId: store.id,
    onRetry: (turn, isLast) => {
      if (isLast) steer(toasts, store, 'retry');
      else void toasts.attempt(() => sendInFork(workspace, store.id, turn, turn.user?.text ?? ''));
    },
    onStopCall: (id) => stopCall(toasts, store, id),
  }), [workspace, store]);
  const drawn = turns.length - first;
  const more = useCallback((event: Event) => {
    const box = (event.currentTarget as Element).closest('.scroller');
    const below = box ? box.scrollHeight - box.scrollTop : 0;
    void toasts.attempt(async () => {
      if (first < turnsAtOnce && hasOlder) await store.readOlder();
      setRoom(drawn + turnsAtOnce);
      // After the frame that draws them.
      requestAnimationFrame(() => requestAnimationFrame(() => {
        if (box) box.scrollTop = box.scrollHeight - below;
      }));
    });
  }, [store, first, drawn, hasOlder]);
  return (
    <>
      {(first > 0 || hasOlder) && (
        <button type="button" class="small earlier" onClick={more}>{texts.chat.earlier}</button>
      )}
      {turns.slice(first).map((turn, i) => (
        <TurnView key={turn.id} turn={turn} actions={actions}
          waiting={turn.status === 'queued' && (turn !== active || state.paused)}
          working={turn === active && !(turn.status === 'queued' && state.paused)}
          isLast={first + i === last} canRetry={first + i !== last || canRetry(state)} />
      ))}
    </>
  );
}

/** What stands first in a part of the log may lack its beginning. */
function withoutHalf(turns: readonly Turn[]): readonly Turn[] {
  const whole = turns.findIndex((turn) => turn.user !== null);
  return whole <= 0 ? turns : turns.slice(whole);
}
