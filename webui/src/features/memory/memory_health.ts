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

/** Whether memories go to SomaBrain, too. */
export function isReplicated(status: MemoryStatus | null): boolean {
  return status !== null && status.breaker !== 'none';
}

/** All there is to say of it, in parts of a line; what is as it should be is not said. */
export function statusWords(status: MemoryStatus): readonly string[] {
  const { status: say } = texts;
  const { stored, waiting, oldest_waiting_s: oldest, index_lag: lag, replicated, failed, replica_lag_s: behind, vectors } = status;
  const isAway = isReplicated(status);
  // Where memories go to SomaBrain, what waits and since when is what waits for that.
  const isOld = oldest >= 1;
  const seconds = oldest.toFixed(0);
  // What there is beyond this node may be told in words that this page does not know.
  const breaker: string = status.breaker;
  return [
    say.stored(stored),
    lag === 0 ? '' : isAway || !isOld ? say.waiting(lag) : say.waitingSince(lag, seconds),
    isAway || replicated > 0 ? say.replicated(replicated) : '',
    !isAway || waiting === 0 ? '' : isOld ? say.unsentSince(waiting, seconds) : say.unsent(waiting),
    failed > 0 ? say.failed(failed) : '',
    vectors.waiting > 0 ? say.vectors(vectors.waiting) : '',
    behind >= 1 ? say.behind(behind.toFixed(0)) : '',
    isAway ? say.breaker[breaker] ?? breaker : '',
  ].filter((words) => words !== '');
}
