import { batch, computed, signal, untracked } from '@preact/signals';
import { request, sentence } from '../../kernel/api/http';
import type { Memory, MemoryFound, MemoryPage } from '../../kernel/api/types';
import { Tenant } from '../../kernel/tenant';
import type { Workspace } from '../../kernel/workspace';
import { filterOf, fits, queryOf, type MemoryFilter } from './filter';
import { Forgets } from './forgets';

const pageSize = 50;
/** What is read again is read in pages as large as there are. */
const pageMax = 200;
const foundMax = 100;
/** A page may be empty and not the last: so many are read before the reader is asked again. */
const emptyPagesMax = 20;

interface Listed {
  readonly items: readonly Memory[];
  readonly next: string | null;
}

/**
 * What the reader looks at of all that is remembered: the newest, read on in pages, or what fits some
 * words. While it is looked at, it is read again whenever the server tells of a change; readings come
 * one after another, so that none is overtaken.
 */
export class MemoryList {
  /** Null until it was read. */
  readonly shown = computed(() => this.items.value?.filter((memory) => !this.forgets.has(memory)) ?? null);
  readonly next = signal<string | null>(null);
  /** Why there may be more than was found; null where that is all. */
  readonly degraded = signal<string | null>(null);
  readonly problem = signal('');
  readonly isReading = signal(false);
  filter: MemoryFilter = filterOf({});
  private readonly items = signal<readonly Memory[] | null>(null);
  private readonly forgets: Forgets;
  private looks = 0;
  /** Goes up with each filter: what was asked for another ends nowhere. */
  private asked = 0;
  private isAgainWanted = false;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly workspace: Workspace) {
    this.forgets = workspace.of(Forgets);
    const tenant = workspace.of(Tenant);
    tenant.on('memory.changed', () => this.again());
    tenant.on('again', () => this.again());
    workspace.effect(() => {
      if (!workspace.isLive.value) untracked(() => this.forgetAll());
      else if (untracked(() => this.looks > 0 && this.items.peek() === null)) untracked(() => this.again());
    });
    workspace.onEnd(() => this.asked++);
  }

  /** Looks at what fits, until the answer is called. What is known of it stands until it was read. */
  look(filter: MemoryFilter): () => void {
    this.looks++;
    const isOther = this.filter !== filter && JSON.stringify(this.filter) !== JSON.stringify(filter);
    this.filter = filter;
    if (isOther) this.forgetAll();
    this.again();
    let isOver = false;
    return () => {
      if (!isOver) this.looks--;
      isOver = true;
    };
  }

  readOn(): Promise<void> {
    return this.read(async (asked) => {
      const known = this.items.peek();
      if (known === null || this.next.peek() === null) return;
      const more = await this.pages(asked, this.next.peek(), known.length + 1, pageSize, known);
      if (more) this.take(more);
    });
  }

  again(): void {
    if (this.looks === 0 || this.isAgainWanted) return;
    this.isAgainWanted = true;
    void this.read(async (asked) => {
      this.isAgainWanted = false;
      if (this.filter.q.trim() !== '') return this.search(asked);
      const most = Math.max(this.items.peek()?.length ?? 0, pageSize);
      const all = await this.pages(asked, null, most, Math.min(most, pageMax), []);
      if (all) this.take(all);
    });
  }

  /** Its answer to a change stands in the list before the list is read again. */
  put(memory: Memory): void {
    const items = this.items.peek();
    if (items === null) return;
    const isHere = items.some(({ memory_id: id }) => id === memory.memory_id);
    if (isHere) this.items.value = items.map((one) => (one.memory_id === memory.memory_id ? memory : one));
    else if (this.filter.q.trim() === '' && fits(memory, this.filter)) this.items.value = [memory, ...items];
  }

  private forgetAll(): void {
    this.asked++;
    batch(() => {
      this.items.value = null;
      this.next.value = null;
      this.degraded.value = null;
      this.problem.value = '';
    });
  }

  private async search(asked: number): Promise<void> {
    const query = queryOf(this.filter);
    query.set('q', this.filter.q.trim());
    query.set('limit', String(foundMax));
    const found = await request<MemoryFound>(`memories/search?${query}`, { signal: this.workspace.ended });
    if (asked !== this.asked) return;
    this.take({ items: found.memories, next: null });
    this.degraded.value = found.degraded ? found.why ?? '' : null;
  }

  /** From `cursor` on until there are `most`, behind those that are known. Null: nobody waits for it any more. */
  private async pages(
    asked: number, cursor: string | null, most: number, limit: number, known: readonly Memory[],
  ): Promise<Listed | null> {
    const items = new Map(known.map((memory) => [memory.memory_id, memory]));
    let next = cursor;
    let empty = 0;
    do {
      const query = queryOf(this.filter);
      query.set('limit', String(limit));
      if (next !== null) query.set('cursor', next);
      const page = await request<MemoryPage>(`memories?${query}`, { signal: this.workspace.ended });
      if (asked !== this.asked) return null;
      for (const memory of page.memories) items.set(memory.memory_id, memory);
      next = page.next_cursor;
      empty = page.memories.length === 0 ? empty + 1 : 0;
    } while (next !== null && items.size < most && empty < emptyPagesMax);
    return { items: [...items.values()], next };
  }

  private take({ items, next }: Listed): void {
    batch(() => {
      this.items.value = items;
      this.next.value = next;
      this.degraded.value = null;
      this.problem.value = '';
    });
  }

  private read(work: (asked: number) => Promise<void>): Promise<void> {
    this.running = this.running.then(async () => {
      const { asked } = this;
      this.isReading.value = true;
      try {
        await work(asked);
      } catch (error) {
        if (asked === this.asked && !this.workspace.ended.aborted) this.problem.value = sentence(error);
      } finally {
        this.isReading.value = false;
      }
    });
    return this.running;
  }
}
