import { request } from '../../kernel/api/http';
import type { SessionAction } from '../../kernel/api/types';
import type { SessionStore } from '../../kernel/session/session_store';
import type { Toasts } from '../../kernel/toasts';
import { texts } from './texts';

/** What shows by itself in the transcript needs no words. */
const silent: readonly SessionAction[] = ['stop', 'retry'];

/** Steers a session, and says what came of it. */
export function steer({ attempt, say }: Toasts, store: SessionStore, action: SessionAction): void {
  void attempt(async () => {
    await store.act(action);
    if (!silent.includes(action)) say(texts.did[action]);
  });
}

export function stopCall({ attempt }: Toasts, store: SessionStore, toolCallId: string): void {
  void attempt(() => store.act('stop', toolCallId));
}

export function reset({ attempt, say }: Toasts, store: SessionStore): void {
  void attempt(async () => {
    await request(`sessions/${encodeURIComponent(store.id)}/reset`, { method: 'POST' });
    say(texts.did.reset);
  });
}
