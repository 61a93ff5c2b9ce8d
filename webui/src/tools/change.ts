import { request } from '../api/http';
import type { ToolEntry, ToolLimits } from './types';

export interface ToolChange {
  readonly enabled?: boolean;
  readonly limits?: ToolLimits;
  readonly egress?: readonly string[];
}

/** An entry is written whole: what is not changed goes along. */
export async function changeTool({ id, enabled, limits, egress }: ToolEntry, change: ToolChange): Promise<void> {
  await request(`tool-catalog/${encodeURIComponent(id)}`, {
    method: 'PUT', body: { enabled, limits, egress, ...change },
  });
}
