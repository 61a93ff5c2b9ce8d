import type { MemoryStatus } from '../../kernel/api/types';
import { Resource } from '../../kernel/resource';
import type { Workspace } from '../../kernel/workspace';
import { texts } from './texts';

/** How much is remembered, and how far it can be found. */
export class MemoryHealth extends Resource<MemoryStatus> {
  constructor(workspace: Workspace) {
    super(workspace, { path: 'memory/status', changedBy: ['memory.changed', 'health.changed'] });
  }
}

/** All there is to say of it, in parts of a line; what is as it should be is not said. */
export function statusWords(status: MemoryStatus): readonly string[] {
  const { status: say } = texts;
  const { stored, waiting, oldest_waiting_s: oldest, replicated, failed, replica_lag_s: behind } = status;
  // What there is beyond this node may be told in words that this page does not know.
  const breaker: string = status.breaker;
  return [
    say.stored(stored),
    waiting === 0 ? '' : oldest < 1 ? say.waiting(waiting) : say.waitingSince(waiting, oldest.toFixed(0)),
    replicated > 0 ? say.replicated(replicated) : '',
    failed > 0 ? say.failed(failed) : '',
    behind >= 1 ? say.behind(behind.toFixed(0)) : '',
    breaker === 'none' ? '' : say.breaker[breaker] ?? breaker,
  ].filter((words) => words !== '');
}
