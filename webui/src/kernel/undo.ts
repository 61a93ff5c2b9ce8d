import { Toasts } from './toasts';
import type { Workspace } from './workspace';

const undoMs = 8_000;

export interface LateWork {
  readonly onUndo: () => void;
  /** What the API cannot take back. With `atOnce` the page ends: the request has to outlive it. */
  readonly work: (atOnce: boolean) => Promise<unknown>;
}

/** What is final at the server waits here for a while, so that the reader can think better of it. */
export class Undo {
  private pageEnds = false;
  /** What can still be undone: the toasts that say so. */
  private readonly pending = new Set<number>();
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly workspace: Workspace) {
    const { ended: signal } = workspace;
    // A page that is left does not keep what the reader asked to be gone.
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

  /** Says it as if it were done, with a button to undo it, and does it when that is gone. */
  offer(said: string, label: string, { onUndo, work }: LateWork): void {
    const toasts = this.workspace.of(Toasts);
    const toast = toasts.say(said, {
      staysMs: undoMs,
      action: {
        label,
        run: () => {
          this.pending.delete(toast);
          onUndo();
        },
      },
      onGone: () => {
        this.pending.delete(toast);
        const done = toasts.attempt(() => work(this.pageEnds)).finally(() => this.running.delete(done));
        this.running.add(done);
      },
    });
    this.pending.add(toast);
  }

  /** Nothing is undone any more: what the reader asked for is done now. */
  async finish(): Promise<void> {
    const toasts = this.workspace.of(Toasts);
    for (const toast of [...this.pending]) toasts.dismiss(toast);
    await Promise.all(this.running);
  }
}
