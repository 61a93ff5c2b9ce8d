import { batch, signal } from '@preact/signals';
import { requestTagged, sentence } from './api/http';
import { Tenant, type TenantEvent } from './tenant';
import type { Workspace } from './workspace';

export interface ResourceOptions {
  readonly path: string;
  /** What the server tells of when an answer is not so any more. */
  readonly changedBy: readonly TenantEvent[];
}

/**
 * What the server answers to one question, kept for all who look at it. It is asked again when the
 * server tells that it changed, or may have without its telling, and when somebody begins to look;
 * until the answer is there the last one stands. Of two answers the one that was asked for later
 * counts.
 */
export class Resource<Value> {
  /** Null until it was read. */
  readonly value = signal<Value | null>(null);
  /** Why `value` may not be what there is. */
  readonly problem = signal('');
  etag = '';
  private readings = 0;
  private watchers = 0;

  constructor(protected readonly workspace: Workspace, private readonly options: ResourceOptions) {
    const tenant = workspace.of(Tenant);
    const changed = () => {
      if (this.watchers > 0) void this.read();
    };
    for (const type of options.changedBy) tenant.on(type, changed);
    tenant.on('again', changed);
    workspace.onEnd(() => this.readings++);
  }

  /** For as long as what it answers was not called, it is kept up to date. */
  watch(): () => void {
    if (this.watchers++ === 0) void this.read();
    let isOver = false;
    return () => {
      if (!isOver) this.watchers--;
      isOver = true;
    };
  }

  /** As if it had never been read. */
  reset(): void {
    this.readings++;
    this.value.value = null;
    this.problem.value = '';
  }

  async read(): Promise<void> {
    const turn = ++this.readings;
    try {
      const { body, etag } = await this.ask();
      if (turn !== this.readings) return;
      batch(() => {
        this.etag = etag;
        this.value.value = body;
        this.problem.value = '';
      });
    } catch (error) {
      if (turn === this.readings) this.problem.value = sentence(error);
    }
  }

  protected ask(): Promise<{ body: Value; etag: string }> {
    return requestTagged<Value>(this.options.path);
  }
}
