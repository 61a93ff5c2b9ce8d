import { signal } from '@preact/signals';
import { keep, kept } from './kept';
import { guardUnsaved } from './unsaved';
import type { Workspace } from './workspace';

/**
 * What was written and not sent, a text for each chat. Kept in the browser for the person who wrote
 * it, so that a reload, a crash and another tab find it again. A draft is kept whole or not at all.
 */
const stored = 'soma.drafts';
const keptMax = 100;
/** Of all together: a browser keeps some five million for all that is of one host. */
const charsMax = 1_500_000;
const writeAfterMs = 300;

export class Drafts {
  /** The chats whose drafts the browser has no room for: they live as long as this page. */
  readonly unkept = signal<ReadonlySet<string>>(new Set());
  private readonly texts = new Map<string, string>();
  private readonly listeners = new Set<(chat: string) => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly workspace: Workspace) {
    const { ended: signal } = workspace;
    for (const [chat, text] of this.read()) this.put(chat, text);
    window.addEventListener('pagehide', () => this.write(), { signal });
    window.addEventListener('storage', (event) => {
      if (event.key !== this.name && event.key !== null) return;
      const theirs = this.read();
      for (const chat of new Set([...this.texts.keys(), ...theirs.keys()])) {
        const text = theirs.get(chat) ?? '';
        if (text === this.of(chat)) continue;
        this.put(chat, text);
        for (const listener of this.listeners) listener(chat);
      }
    }, { signal });
    workspace.onEnd(guardUnsaved(() => this.unkept.peek().size > 0));
  }

  of(chat: string): string {
    return this.texts.get(chat) ?? '';
  }

  set(chat: string, text: string): void {
    // A view that is going away may still tell what was in it.
    if (this.workspace.ended.aborted) return;
    this.put(chat, text);
    clearTimeout(this.timer);
    // What was sent must not come back in another tab.
    if (text === '') this.write();
    else this.timer = setTimeout(() => this.write(), writeAfterMs);
  }

  /** Told of a draft that another tab changed. Answers what ends it. */
  onChange(listener: (chat: string) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  forget(): void {
    this.texts.clear();
    this.write();
  }

  dispose(): void {
    // The last letters; where nothing waits to be written, another tab may have written since.
    if (this.timer !== undefined) this.write();
  }

  private get name(): string {
    return this.workspace.nameOf(stored);
  }

  private put(chat: string, text: string): void {
    this.texts.delete(chat);
    if (text !== '') this.texts.set(chat, text);
  }

  private write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    let room = charsMax;
    const newestFirst = [...this.texts].slice(-keptMax).reverse();
    const fitting = newestFirst.filter(([, text]) => text.length <= room && ((room -= text.length), true));
    const isKept = keep(this.name, fitting.length === 0 ? null : JSON.stringify(fitting.reverse()));
    const safe = new Set(isKept ? fitting.map(([chat]) => chat) : []);
    const unkept = [...this.texts.keys()].filter((chat) => !safe.has(chat));
    if (unkept.length > 0 || this.unkept.peek().size > 0) this.unkept.value = new Set(unkept);
  }

  private read(): Map<string, string> {
    try {
      const found: unknown = JSON.parse(kept(this.name) ?? '[]');
      return new Map(Array.isArray(found) ? (found as [string, string][]) : []);
    } catch {
      return new Map();
    }
  }
}
