import { useEffect, useState } from 'preact/hooks';
import { address, arrivals } from '../../kernel/route';
import type { SessionStore } from '../../kernel/session/session_store';
import { hasId, type SessionState } from '../../kernel/session/state';
import { Toasts } from '../../kernel/toasts';
import { usePart } from '../../ui/use_part';
import { texts } from './texts';

/** A turn that the address names, by one of its messages; `wish` counts how often it was asked for. */
export interface WantedTurn {
  readonly turnId: string;
  readonly wish: string;
}

/** Reads the past until what the address names is there. Null while there is nothing of that kind. */
export function useWantedTurn(store: SessionStore | null, state: SessionState): WantedTurn | null {
  const { attempt, say } = usePart(Toasts);
  const { chat, message } = address.value;
  const wish = `${message} ${arrivals.value}`;
  const [there, setThere] = useState<string | null>(null);
  const isOpen = store !== null && store.id === chat && state.headSeq > 0;
  useEffect(() => {
    if (!isOpen || message === undefined) return;
    let isWanted = true;
    void attempt(async () => {
      const isThere = await store.readBackTo(message);
      if (!isWanted) return;
      if (isThere) setThere(wish);
      else say(texts.chat.notThere);
    });
    return () => void (isWanted = false);
  }, [store, isOpen, wish]);
  if (!isOpen || message === undefined || there !== wish) return null;
  const turn = state.turns.find((one) => hasId(one, message));
  return turn ? { turnId: turn.id, wish } : null;
}
