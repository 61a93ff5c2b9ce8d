import { signal, untracked } from '@preact/signals';
import { keep, kept } from '../../kernel/kept';
import { Outbox } from '../../kernel/outbox';
import { select, selected, show } from '../../kernel/route';
import { seqOf } from '../../kernel/session/fold';
import { SessionStore } from '../../kernel/session/session_store';
import { activeTurn } from '../../kernel/session/state';
import { Streams } from '../../kernel/streams/streams';
import type { Workspace } from '../../kernel/workspace';
import { SessionList } from '../sessions/session_list';
import { Unread } from '../sessions/unread';

const stored = 'soma.session';

/** The chat that is shown, and its stream with it; which one it was is kept for the next visit. */
export class CurrentChat {
  /** Null is a new chat. */
  readonly store = signal<SessionStore | null>(null);
  /** What nobody asked for in this visit, so that nobody need be told when it is gone. */
  private remembered: string | null = null;

  constructor(private readonly workspace: Workspace) {
    this.remember();
    this.follow();
    workspace.effect(() => {
      const store = this.store.value;
      if (store?.id === this.remembered && store?.gone.value && store.isEmpty) select(null);
    });
    workspace.effect(this.see);
    document.addEventListener('visibilitychange', this.see, { signal: workspace.ended });
    workspace.effect(() => this.forgetSeen());
  }

  dispose(): void {
    this.store.peek()?.close();
    this.store.value = null;
  }

  private remember(): void {
    const name = this.workspace.nameOf(stored);
    if (location.hash === '' && selected.peek() === null) {
      this.remembered = kept(name);
      if (this.remembered !== null) show(this.remembered);
    }
    this.workspace.effect(() => void keep(name, selected.value));
  }

  /** It stays as it is under the sign-in, with what is being written in it. */
  private follow(): void {
    let wasLapsed = false;
    this.workspace.effect(() => {
      if (!this.workspace.isLive.value) {
        wasLapsed = true;
        return;
      }
      const isBack = wasLapsed;
      wasLapsed = false;
      const id = selected.value;
      const open = this.store.peek();
      if (open?.id === id) {
        if (isBack) untracked(() => open?.reopen());
        return;
      }
      open?.close();
      this.store.value = id === null ? null : new SessionStore(id, this.workspace.of(Streams));
    });
  }

  /** What is on the screen is read; what the list says of it later is known, too. */
  private readonly see = (): void => {
    const store = this.store.value;
    if (!store || document.visibilityState !== 'visible') return;
    const { value: state } = store.state;
    // While an answer is written, every frame would be one more to keep.
    if (state.headSeq === 0 || activeTurn(state) !== undefined) return;
    const info = this.workspace.of(SessionList).infoOf(store.id);
    this.workspace.of(Unread).mark(store.id, Math.max(state.headSeq, seqOf(info?.last_event_id)));
  };

  /** A message that was accepted is shown from the outbox until its event came. */
  private forgetSeen(): void {
    const outbox = this.workspace.of(Outbox);
    const turns = this.store.value?.state.value.turns ?? [];
    const seen = new Set(turns.map((turn) => turn.user?.idempotencyKey));
    for (const entry of outbox.entries.value) {
      const elsewhere = entry.sessionId !== selected.value;
      if (entry.phase === 'accepted' && (elsewhere || seen.has(entry.key))) outbox.discard(entry.key);
    }
  }
}
