import { computed, effect, signal, untracked } from '@preact/signals';
import { pictureHome } from '../../ui/markdown/pictures';
import { outbox, discard } from '../../kernel/outbox';
import { seqOf } from '../../kernel/session/fold';
import { activeTurn } from '../../kernel/session/state';
import { SessionStore } from '../../kernel/session/session_store';
import { account } from '../../kernel/account';
import { remembered, select, selected } from '../../kernel/route';
import { infoOf } from '../sessions/session_list';
import { follow, unfollow } from '../sessions/tenant';
import { markSeen } from '../sessions/unread';

/** The session that is shown; null is a new chat. */
export const current = signal<SessionStore | null>(null);

export const isSignedIn = computed(() => typeof account.value === 'object');

/** Keeps exactly the streams open that the page needs: the tenant's, and the shown session's. */
export function startStreams(): void {
  effect(() => {
    if (isSignedIn.value) follow();
    else unfollow();
  });

  let open: SessionStore | null = null;
  let wasLapsed = false;
  effect(() => {
    // It stays as it is under the sign-in, with what is being written in it.
    if (account.value === 'lapsed') {
      wasLapsed = true;
      return;
    }
    const isBack = wasLapsed;
    wasLapsed = false;
    const id = isSignedIn.value ? selected.value : null;
    if (open?.id === id) {
      if (isBack) untracked(() => open?.reopen());
      return;
    }
    open?.close();
    pictureHome.sessionId = id;
    open = id === null ? null : new SessionStore(id);
    current.value = open;
  });

  effect(() => {
    const store = current.value;
    if (store?.id === remembered.value && store.gone.value && store.isEmpty) select(null);
  });

  // What is on the screen is read; what the list says of it later is known, too.
  const see = () => {
    const store = current.value;
    if (!store || document.visibilityState !== 'visible') return;
    const { value: state } = store.state;
    // While an answer is written, every frame would be one more to keep.
    if (state.headSeq === 0 || activeTurn(state) !== undefined) return;
    markSeen(store.id, Math.max(state.headSeq, seqOf(infoOf(store.id)?.last_event_id)));
  };
  effect(see);
  document.addEventListener('visibilitychange', see);

  // A message that was accepted is shown from the outbox until its event came.
  effect(() => {
    const turns = current.value?.state.value.turns ?? [];
    const seen = new Set(turns.map((turn) => turn.user?.idempotencyKey));
    for (const entry of outbox.value) {
      const elsewhere = entry.sessionId !== selected.value;
      if (entry.phase === 'accepted' && (elsewhere || seen.has(entry.key))) discard(entry.key);
    }
  });
}
