import { requestTagged } from '../../kernel/api/http';
import { Resource } from '../../kernel/resource';
import type { Workspace } from '../../kernel/workspace';
import type { ToolEntry, ToolLimits } from '../../kernel/api/types';

export interface ToolChange {
  readonly enabled?: boolean;
  readonly limits?: ToolLimits;
  readonly egress?: readonly string[];
}

/** All tools there are, as admins see and change them. */
export class ToolCatalog extends Resource<{ tools: readonly ToolEntry[] }> {
  private last: Promise<unknown> = Promise.resolve();

  constructor(workspace: Workspace) {
    super(workspace, { path: 'tool-catalog', changedBy: ['catalog.changed'] });
  }

  /**
   * An entry is written whole: what is not changed goes along, as it was seen, and so only over a
   * catalog that is still the one that was seen. One after another, since each changes the tag.
   */
  change({ id, enabled, limits, egress }: ToolEntry, change: ToolChange): Promise<void> {
    const work = async () => {
      const { etag } = await requestTagged(`tool-catalog/${encodeURIComponent(id)}`, {
        method: 'PUT', body: { enabled, limits, egress, ...change }, ...(this.etag ? { ifMatch: this.etag } : {}),
      });
      this.etag = etag;
    };
    const done = this.last.then(work, work);
    this.last = done.catch(() => {});
    return done;
  }
}
