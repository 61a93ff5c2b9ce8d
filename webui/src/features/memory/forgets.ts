import { signal, untracked } from '@preact/signals';
import { Problem } from '../../kernel/api/http';
import { Undo } from '../../kernel/undo';
import type { Workspace } from '../../kernel/workspace';
import { gistOf } from './gist';
import { deleteMemory } from './memory_api';
import { texts } from './turn_texts';
import { t } from '../../kernel/texts/texts';

/** leaving: asked for, and can still be undone; gone: the server knows it no more. */
export type Forgotten = 'leaving' | 'gone';

/** Forgets memories, and lets the reader think better of it: what is forgotten does not come back. */
export class Forgets {
  /** By memory id. An answer that was on its way does not bring them back. */
  readonly ids = signal<ReadonlyMap<string, Forgotten>>(new Map());

  constructor(private readonly workspace: Workspace) {
    // What was not sent by then is not sent any more.
    workspace.effect(() => {
      if (!workspace.isLive.value) untracked(() => this.keepLeaving());
    });
  }

  has(id: string): boolean {
    return this.ids.value.has(id);
  }

  /** It looks forgotten at once; the server is told when that was not undone. */
  readonly forgetWithUndo = (id: string, text: string): void => {
    if (this.ids.peek().has(id)) return;
    this.set(id, 'leaving');
    this.workspace.of(Undo).offer(texts.forgotten(gistOf(text)), t.undo, {
      onUndo: () => this.set(id, null),
      work: async (atOnce) => {
        try {
          await deleteMemory(id, atOnce);
        } catch (error) {
          // Somebody else was first.
          if (!(error instanceof Problem && error.status === 404)) {
            this.set(id, null);
            throw error;
          }
        }
        this.set(id, 'gone');
      },
    });
  };

  private keepLeaving(): void {
    this.ids.value = new Map([...this.ids.peek()].filter(([, how]) => how === 'gone'));
  }

  private set(id: string, how: Forgotten | null): void {
    const next = new Map(this.ids.peek());
    if (how === null) next.delete(id);
    else next.set(id, how);
    this.ids.value = next;
  }
}
