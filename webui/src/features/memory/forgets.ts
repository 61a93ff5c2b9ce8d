import { signal, untracked, type Signal } from '@preact/signals';
import { Problem } from '../../kernel/api/http';
import type { Memory } from '../../kernel/api/types';
import { Undo } from '../../kernel/undo';
import type { Workspace } from '../../kernel/workspace';
import { gistOf } from './gist';
import { deleteMemory, forgetDocument, type KnownDocument } from './memory_api';
import { isLater, pauseAfter } from './patience';
import { texts } from './turn_texts';
import { t } from '../../kernel/texts/texts';

/** leaving: asked for, and can still be undone; gone: the server knows it no more. */
export type Forgotten = 'leaving' | 'gone';

interface ForgottenDocument {
  readonly how: Forgotten;
  /** What is kept of it anew is kept later than that. */
  readonly importedAt: string;
}

/** How often a document is tried where the server is busy, half a minute in all. */
const triesMax = 8;

/** Forgets memories, and lets the reader think better of it: what is forgotten does not come back. */
export class Forgets {
  /** By memory id. An answer that was on its way does not bring them back. */
  readonly ids = signal<ReadonlyMap<string, Forgotten>>(new Map());
  /** By attachment id. */
  readonly documents = signal<ReadonlyMap<string, ForgottenDocument>>(new Map());
  /** The server forgets one document at a time. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly workspace: Workspace) {
    // What was not sent by then is not sent any more.
    workspace.effect(() => {
      if (!workspace.isLive.value) untracked(() => this.keepLeaving());
    });
  }

  /** By itself, or with the document that it is a passage of. */
  has({ memory_id: id, kind, attachment_id: document = '', created_at: at }: Memory): boolean {
    return this.ids.value.has(id) || (kind === 'knowledge' && this.hasDocument(document, at));
  }

  hasDocument(id: string, importedAt: string): boolean {
    const forgotten = this.documents.value.get(id);
    return forgotten !== undefined && importedAt <= forgotten.importedAt;
  }

  /** It looks forgotten at once; the server is told when that was not undone. */
  readonly forgetWithUndo = (id: string, text: string): void => {
    if (this.ids.peek().has(id)) return;
    const put = (how: Forgotten | null) => set(this.ids, id, how);
    this.offer(texts.forgotten(gistOf(text)), put, (atOnce) => deleteMemory(id, atOnce));
  };

  /** As one memory: a document with all that is kept of it. Its file stays. */
  readonly forgetDocumentWithUndo = (document: KnownDocument): void => {
    const { attachment_id: id, filename, imported_at: importedAt } = document;
    if (this.hasDocument(id, importedAt)) return;
    const put = (how: Forgotten | null) => set(this.documents, id, how && { how, importedAt });
    this.offer(texts.forgotten(gistOf(filename)), put, (atOnce) => (atOnce ? forgetDocument(id, true) : this.inTurn(id)));
  };

  private offer(said: string, put: (how: Forgotten | null) => void, tell: (atOnce: boolean) => Promise<unknown>): void {
    put('leaving');
    this.workspace.of(Undo).offer(said, t.undo, {
      onUndo: () => put(null),
      work: async (atOnce) => {
        try {
          await tell(atOnce);
        } catch (error) {
          // Somebody else was first.
          if (!(error instanceof Problem && error.status === 404)) {
            put(null);
            throw error;
          }
        }
        put('gone');
      },
    });
  }

  private inTurn(id: string): Promise<void> {
    const done = this.last.then(() => this.patiently(() => forgetDocument(id, false)));
    this.last = done.catch(() => {});
    return done;
  }

  /** Tries it again for as long as the server is busy. */
  private async patiently(step: () => Promise<void>): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        return await step();
      } catch (error) {
        const isBusy = error instanceof Problem && isLater(error);
        if (!isBusy || this.workspace.ended.aborted || failures + 1 >= triesMax) throw error;
        await pauseAfter(error, failures, this.workspace.ended);
      }
    }
  }

  private keepLeaving(): void {
    this.ids.value = new Map([...this.ids.peek()].filter(([, how]) => how === 'gone'));
    this.documents.value = new Map([...this.documents.peek()].filter(([, { how }]) => how === 'gone'));
  }
}

function set<Value>(all: Signal<ReadonlyMap<string, Value>>, id: string, value: Value | null): void {
  const next = new Map(all.peek());
  if (value === null) next.delete(id);
  else next.set(id, value);
  all.value = next;
}
