import { requestTagged } from '../../kernel/api/http';
import type { ToolEntry, ToolLimits } from './types';

export interface ToolChange {
  readonly enabled?: boolean;
  readonly limits?: ToolLimits;
  readonly egress?: readonly string[];
}

/** The catalog as it was read, or written here since. */
export interface CatalogTag {
  current: string;
}

let last: Promise<unknown> = Promise.resolve();

/**
 * An entry is written whole: what is not changed goes along, as it was seen, and so only over a
 * catalog that is still the one that was seen. One after another, since each changes the tag.
 */
export function changeTool({ id, enabled, limits, egress }: ToolEntry, change: ToolChange, tag: CatalogTag): Promise<void> {
  const work = async () => {
    const { etag } = await requestTagged(`tool-catalog/${encodeURIComponent(id)}`, {
      method: 'PUT', body: { enabled, limits, egress, ...change }, ...(tag.current ? { ifMatch: tag.current } : {}),
    });
    tag.current = etag;
  };
  const done = last.then(work, work);
  last = done.catch(() => {});
  return done;
}
