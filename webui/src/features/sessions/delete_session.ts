import type { SessionInfo } from '../../kernel/api/types';
import { Drafts } from '../../kernel/drafts';
import { select, selected } from '../../kernel/route';
import { Undo } from '../../kernel/undo';
import type { Workspace } from '../../kernel/workspace';
import { SessionList } from './session_list';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

/** Deletes sessions, and lets the reader think better of it: the API's DELETE is final. */
export class Deletes {
  constructor(private readonly workspace: Workspace) {}

  /** Takes a session off the list at once; what is deleted on the server is gone for good, so that waits. */
  readonly deleteWithUndo = (session: SessionInfo): void => {
    const list = this.workspace.of(SessionList);
    const id = session.session_id;
    const wasShown = selected.peek() === id;
    list.setLeaving(id, true);
    if (wasShown) select(null);
    this.workspace.of(Undo).offer(texts.list.deleted(session.title || t.untitled), t.undo, {
      onUndo: () => {
        list.setLeaving(id, false);
        if (wasShown) select(id);
      },
      work: async (atOnce) => {
        try {
          await list.remove(id, atOnce);
          this.workspace.of(Drafts).set(id, '');
        } catch (error) {
          list.setLeaving(id, false);
          throw error;
        }
      },
    });
  };
}
