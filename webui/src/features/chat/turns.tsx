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
/** What is looked for farther back than this is drawn with its neighbours, and not with all that came since. */
const farTurns = 3 * turnsAtOnce;
const turnsBefore = 5;

interface Props {
  store: SessionStore;
  state: SessionState;
  /** Set to how many turns were read and are not drawn: so many need not be fetched ahead. */
  undrawn: { current: number };
  /** The turn that is looked for: drawn, however long ago it was. Null: the newest are. */
  wanted: string | null;
}

/** The newest turns; a long past is drawn, and read, only when it is asked for. */
export function Turns({ store, state, undrawn, wanted }: Props) {
  const workspace = useWorkspace();
  const toasts = workspace.of(Toasts);
  const [room, setRoom] = useState(turnsAtOnce);
  const hasOlder = store.hasOlder.value;
  const turns = hasOlder ? withoutHalf(state.turns) : state.turns;
  const active = activeTurn(state);
  // What is drawn stays drawn when more comes behind it: somebody may be writing in it.
  const drawnFrom = useRef('');
  const far = useFar(turns, wanted, drawnFrom);
  const was = turns.findIndex((turn) => turn.id === drawnFrom.current);
  const least = Math.max(0, turns.length - room);
  const sought = wanted === null ? -1 : turns.findIndex((turn) => turn.id === wanted);
  const newest = Math.min(was < 0 ? least : was, sought < 0 ? least : sought, least);
  const first = far ? far.first : newest;
  const end = far ? far.end : turns.length;
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
  const drawn = end - first;
  const more = useCallback((event: Event) => {
    const box = (event.currentTarget as Element).closest('.scroller');
    const below = box ? box.scrollHeight - box.scrollTop : 0;
    void toasts.attempt(async () => {
      if (first < turnsAtOnce && hasOlder) await store.readOlder();
      if (far) far.more('before');
      else setRoom(drawn + turnsAtOnce);
      // After the frame that draws them.
      requestAnimationFrame(() => requestAnimationFrame(() => {
        if (box) box.scrollTop = box.scrollHeight - below;
      }));
    });
  }, [store, first, drawn, hasOlder, far]);
  return (
    <>
      {(first > 0 || hasOlder) && (
        <button type="button" class="small earlier" onClick={more}>{texts.chat.earlier}</button>
      )}
      {turns.slice(first, end).map((turn, i) => (
        <TurnView key={turn.id} turn={turn} actions={actions}
          waiting={turn.status === 'queued' && (turn !== active || state.paused)}
          working={turn === active && !(turn.status === 'queued' && state.paused)}
          isLast={first + i === last} canRetry={first + i !== last || canRetry(state)}
          isWanted={turn.id === wanted} />
      ))}
      {far && (
        <button type="button" class="small earlier" onClick={() => far.more('behind')}>{texts.chat.later}</button>
      )}
    </>
  );
}

interface Far {
  readonly first: number;
  readonly end: number;
  readonly more: (where: 'before' | 'behind') => void;
}

/** The neighbours of a turn of long ago; null where there is none that is looked for, or they meet the newest. */
function useFar(turns: readonly Turn[], wanted: string | null, drawnFrom: { current: string }): Far | null {
  const [around, setAround] = useState({ wanted, before: turnsBefore, behind: turnsAtOnce });
  const isFar = useRef(false);
  const { before, behind } = around.wanted === wanted ? around : { before: turnsBefore, behind: turnsAtOnce };
  const at = wanted === null ? -1 : turns.findIndex((turn) => turn.id === wanted);
  const wasFar = isFar.current;
  isFar.current = at >= 0 && turns.length - at > farTurns && at + behind < turns.length;
  if (!isFar.current) {
    // Gone on to the newest, nothing of all that lies between need be drawn.
    if (wasFar && at < 0) drawnFrom.current = '';
    return null;
  }
  return {
    first: Math.max(0, at - before),
    end: at + behind,
    more: (where) => setAround({
      wanted, before: before + (where === 'before' ? turnsAtOnce : 0), behind: behind + (where === 'behind' ? turnsAtOnce : 0),
    }),
  };
}

/** What stands first in a part of the log may lack its beginning. */
function withoutHalf(turns: readonly Turn[]): readonly Turn[] {
  const whole = turns.findIndex((turn) => turn.user !== null);
  return whole <= 0 ? turns : turns.slice(whole);
}
