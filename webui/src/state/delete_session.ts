import type { SessionInfo } from '../api/types';
import { t } from '../texts/texts';
import { setDraft } from './drafts';
import { select, selected } from './route';
import { remove, setLeaving } from './session_list';
import { attempt, endToasts, say } from './toasts';

const undoMs = 8_000;
let pageEnds = false;

/** Takes a session off the list at once; what is deleted on the server is gone for good, so that waits. */
export function deleteWithUndo(session: SessionInfo): void {
  const id = session.session_id;
  const wasShown = selected.peek() === id;
  setLeaving(id, true);
  if (wasShown) select(null);
  say(t.list.deleted(session.title || t.untitled), {
    staysMs: undoMs,
    action: {
      label: t.undo,
      run: () => {
        setLeaving(id, false);
        if (wasShown) select(id);
      },
    },
    onGone: () => void attempt(async () => {
      try {
        await remove(id, pageEnds);
        setDraft(id, '');
      } catch (error) {
        setLeaving(id, false);
        throw error;
      }
    }),
  });
}

/** A page that is left does not keep what the reader asked to be deleted. */
export function startDeletes(): void {
  window.addEventListener('pagehide', () => {
    pageEnds = true;
    endToasts();
  });
  window.addEventListener('pageshow', () => (pageEnds = false));
}
