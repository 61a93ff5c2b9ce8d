import type { SessionInfo } from '../../kernel/api/types';
import { Drafts } from '../../kernel/drafts';
import { select, selected } from '../../kernel/route';
import { Toasts } from '../../kernel/toasts';
import type { Workspace } from '../../kernel/workspace';
import { SessionList } from './session_list';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

const undoMs = 8_000;

/** Deletes sessions, and lets the reader think better of it: the API's DELETE is final. */
export class Deletes {
  private pageEnds = false;
  /** What can still be undone: the toasts that say so. */
  private readonly pending = new Set<number>();
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly workspace: Workspace) {
    const { ended: signal } = workspace;
    // A page that is left does not keep what the reader asked to be deleted.
    window.addEventListener('pagehide', () => {
      this.pageEnds = true;
      void this.finish();
    }, { signal });
    window.addEventListener('pageshow', () => (this.pageEnds = false), { signal });
    // What one reader asked for is not asked for as the next.
    workspace.effect(() => {
      if (!workspace.isLive.value) this.pending.clear();
    });
  }

  /** Takes a session off the list at once; what is deleted on the server is gone for good, so that waits. */
  readonly deleteWithUndo = (session: SessionInfo): void => {
    const list = this.workspace.of(SessionList);
    const id = session.session_id;
    const wasShown = selected.peek() === id;
    list.setLeaving(id, true);
    if (wasShown) select(null);
    const toast = this.workspace.of(Toasts).say(texts.list.deleted(session.title || t.untitled), {
      staysMs: undoMs,
      action: {
        label: t.undo,
        run: () => {
          this.pending.delete(toast);
          list.setLeaving(id, false);
          if (wasShown) select(id);
        },
      },
      onGone: () => {
        this.pending.delete(toast);
        const work = this.deleteNow(id).finally(() => this.running.delete(work));
        this.running.add(work);
      },
    });
    this.pending.add(toast);
  };

  /** Nothing is undone any more: what the reader asked to be deleted is deleted now. */
  async finish(): Promise<void> {
    const toasts = this.workspace.of(Toasts);
    for (const toast of [...this.pending]) toasts.dismiss(toast);
    await Promise.all(this.running);
  }

  private deleteNow(id: string): Promise<unknown> {
    const list = this.workspace.of(SessionList);
    return this.workspace.of(Toasts).attempt(async () => {
      try {
        await list.remove(id, this.pageEnds);
        this.workspace.of(Drafts).set(id, '');
      } catch (error) {
        list.setLeaving(id, false);
        throw error;
      }
    });
  }
}
