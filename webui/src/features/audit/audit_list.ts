import { batch, signal } from '@preact/signals';
import { request, sentence } from '../../kernel/api/http';
import type { AuditHead, AuditPage, AuditRecord, Health } from '../../kernel/api/types';
import type { Workspace } from '../../kernel/workspace';
import { filterOf, queryOf, type AuditFilter } from './filter';

const pageSize = 50;
/** A page may be empty and not the last: so many are read before the reader is asked again. */
const emptyPagesMax = 20;

/**
 * What the reader looks at of all that was done, the newest first, read on in pages. It is read when
 * somebody begins to look or asks for it: what is done meanwhile, this reading too, adds to it.
 */
export class AuditList {
  /** Null until it was read. */
  readonly shown = signal<readonly AuditRecord[] | null>(null);
  readonly next = signal<string | null>(null);
  /** Null where it was not read, or nothing is signed. */
  readonly head = signal<AuditHead | null>(null);
  /** What is wrong with the audit itself; '' where nothing is known to be. */
  readonly trouble = signal('');
  readonly problem = signal('');
  readonly isReading = signal(false);
  private filter: AuditFilter = filterOf({});
  /** Goes up with each look: what was asked for another ends nowhere. */
  private asked = 0;

  constructor(private readonly workspace: Workspace) {
    workspace.onEnd(() => this.asked++);
  }

  /** Looks at what fits, and at how far all of it is signed. */
  async look(filter: AuditFilter): Promise<void> {
    this.filter = filter;
    batch(() => {
      this.shown.value = null;
      this.next.value = null;
      this.problem.value = '';
    });
    const asked = ++this.asked;
    await Promise.all([this.read(asked, null), this.readHead(asked), this.readHealth(asked)]);
  }

  again(): Promise<void> {
    return this.look(this.filter);
  }

  async readOn(): Promise<void> {
    const next = this.next.peek();
    if (next !== null && !this.isReading.peek()) await this.read(this.asked, next);
  }

  private async read(asked: number, cursor: string | null): Promise<void> {
    this.isReading.value = true;
    try {
      const known = cursor === null ? [] : this.shown.peek() ?? [];
      const more: AuditRecord[] = [];
      let next = cursor;
      let empty = 0;
      do {
        const query = queryOf(this.filter);
        query.set('limit', String(pageSize));
        if (next !== null) query.set('cursor', next);
        const page = await this.ask<AuditPage>(`admin/audit?${query}`);
        if (asked !== this.asked) return;
        more.push(...page.records);
        next = page.next_cursor;
        empty = page.records.length === 0 ? empty + 1 : 0;
      } while (next !== null && more.length < pageSize && empty < emptyPagesMax);
      batch(() => {
        this.shown.value = [...known, ...more];
        this.next.value = next;
        this.problem.value = '';
      });
    } catch (error) {
      if (asked === this.asked) this.problem.value = sentence(error);
    } finally {
      if (asked === this.asked) this.isReading.value = false;
    }
  }

  private async readHead(asked: number): Promise<void> {
    const head = await this.ask<AuditHead>('admin/audit/head').catch(() => null);
    if (asked === this.asked) this.head.value = head;
  }

  private async readHealth(asked: number): Promise<void> {
    const health = await this.ask<Health>('health').catch(() => null);
    const audit = health?.components?.audit;
    if (asked === this.asked) this.trouble.value = audit && audit.status !== 'ok' ? audit.detail ?? audit.status : '';
  }

  private ask<Answer>(path: string): Promise<Answer> {
    return request<Answer>(path, { signal: this.workspace.ended });
  }
}
