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

/** Of what has no vector no more are counted. */
const countedMax = 10_000;
/** From then on it is said how much of the room is taken. */
const nearlyFull = 0.9;

/** All there is to say of it, in parts of a line; what is as it should be is not said. */
export function statusWords(status: MemoryStatus): readonly string[] {
  const { status: say } = texts;
  const { stored, waiting, oldest_waiting_s: oldest, index_lag: lag, replicated, failed, replica_lag_s: behind, vectors } = status;
  const isAway = isReplicated(status);
  // Where memories go to SomaBrain, what waits and since when is what waits for that.
  const isOld = oldest >= 1;
  // What there is beyond this node may be told in words that this page does not know.
  const breaker: string = status.breaker;
  return [
    say.stored(stored),
    roomWords(status),
    lag === 0 ? '' : isAway || !isOld ? say.waiting(lag) : say.waitingSince(lag, timeWords(oldest)),
    isAway || replicated > 0 ? say.replicated(replicated) : '',
    !isAway || waiting === 0 ? '' : isOld ? say.unsentSince(waiting, timeWords(oldest)) : say.unsent(waiting),
    failed > 0 ? say.failed(failed) : '',
    ...vectorWords(vectors),
    behind >= 1 ? say.behind(timeWords(behind)) : '',
    isAway ? say.breaker[breaker] ?? breaker : '',
  ].filter((words) => words !== '');
}

function roomWords({ stored, bytes, items_max: itemsMax, bytes_max: bytesMax }: MemoryStatus): string {
  const taken = Math.max(stored / itemsMax, bytesMax > 0 ? bytes / bytesMax : 0);
  if (taken >= 1) return texts.status.full;
  return taken >= nearlyFull ? texts.status.nearlyFull(Math.floor(100 * taken)) : '';
}

/** How far memories are found by what they mean, too. */
function vectorWords({ state, waiting, why = '', set_aside: aside, lag_s: lag }: MemoryStatus['vectors']): string[] {
  const { status: say } = texts;
  const waits = waiting >= countedMax ? say.byWordsMost(waiting) : say.byWords(waiting);
  const reason = why.replace(/\.$/, '');
  return [
    waiting === 0 ? '' : waits + (lag >= 1 ? say.since(timeWords(lag)) : ''),
    state !== 'failing' ? '' : reason === '' ? say.noModel : say.noModelWhy(reason),
    aside > 0 ? say.setAside(aside) : '',
  ];
}

/** How long that is, as exactly as anybody wants to know. */
export function timeWords(seconds: number): string {
  const { status: say } = texts;
  const [minutes, hours] = [seconds / 60, seconds / 3_600];
  if (seconds < 120) return say.seconds(Math.round(seconds));
  if (minutes < 120) return say.minutes(Math.round(minutes));
  return hours < 48 ? say.hours(Math.round(hours)) : say.days(Math.round(hours / 24));
}
