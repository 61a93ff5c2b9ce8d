import { effect } from '@preact/signals';
import type { SessionInfo } from '../../kernel/api/types';
import { t } from '../../kernel/texts/texts';
import { account } from '../../kernel/account';
import { setDraft } from '../../kernel/drafts';
import { select, selected } from '../../kernel/route';
import { remove, setLeaving } from './session_list';
import { attempt, clearToasts, dismiss, say } from '../../kernel/toasts';

const undoMs = 8_000;
let pageEnds = false;
/** What can still be undone: the toasts that say so. */
const pending = new Set<number>();
const running = new Set<Promise<unknown>>();

/** Takes a session off the list at once; what is deleted on the server is gone for good, so that waits. */
export function deleteWithUndo(session: SessionInfo): void {
  const id = session.session_id;
  const wasShown = selected.peek() === id;
  setLeaving(id, true);
  if (wasShown) select(null);
  const toast = say(t.list.deleted(session.title || t.untitled), {
    staysMs: undoMs,
    action: {
      label: t.undo,
      run: () => {
        pending.delete(toast);
        setLeaving(id, false);
        if (wasShown) select(id);
      },
    },
    onGone: () => {
      pending.delete(toast);
      const work = attempt(async () => {
        try {
          await remove(id, pageEnds);
          setDraft(id, '');
        } catch (error) {
          setLeaving(id, false);
          throw error;
        }
      }).finally(() => running.delete(work));
      running.add(work);
    },
  });
  pending.add(toast);
}

/** Nothing is undone any more: what the reader asked to be deleted is deleted now. */
export async function finishDeletes(): Promise<void> {
  for (const toast of [...pending]) dismiss(toast);
  await Promise.all(running);
}

/** A page that is left does not keep what the reader asked to be deleted. */
export function startDeletes(): void {
  window.addEventListener('pagehide', () => {
    pageEnds = true;
    void finishDeletes();
  });
  window.addEventListener('pageshow', () => (pageEnds = false));
  // What one reader asked for is not asked for as the next.
  effect(() => {
    if (account.value !== 'signed_out' && account.value !== 'lapsed') return;
    pending.clear();
    clearToasts();
  });
}
