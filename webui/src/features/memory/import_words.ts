import type { KnowledgeFile } from './imports';
import { texts } from './texts';

/** How far one is. */
export function stateWords({ phase, isHeld, sent, size, passages, truncated, again, problem }: KnowledgeFile): string {
  const { imports: say } = texts;
  if (isHeld) return say.held;
  switch (phase) {
    case 'waiting': return say.waiting;
    case 'sending': return say.sending(percentOf(sent, size));
    case 'reading': return say.reading;
    case 'failed': return problem;
    case 'cancelled': return problem || say.cancelled;
    case 'done': break;
  }
  if (passages === 0) return say.empty;
  if (again) return say.again(say.passages(passages));
  return truncated ? say.cut(say.passages(passages)) : say.passages(passages);
}

function percentOf(sent: number, size: number): number {
  return size === 0 ? 0 : Math.floor((100 * sent) / size);
}

/** What came of all of them. */
export function summaryOf(files: readonly KnowledgeFile[]): string {
  const { imports: say } = texts;
  const done = files.filter(({ phase }) => phase === 'done');
  const kept = done.filter(({ passages, again }) => passages > 0 && !again);
  const counts = {
    wereKept: done.filter(({ passages, again }) => passages > 0 && again).length,
    wereEmpty: done.filter(({ passages }) => passages === 0).length,
    wereFailed: files.filter(({ phase }) => phase === 'failed').length,
    wereCancelled: files.filter(({ phase }) => phase === 'cancelled').length,
  } as const;
  const passages = kept.reduce((sum, file) => sum + file.passages, 0);
  return [
    kept.length === 0 ? say.keptNone : say.kept(kept.length, passages),
    ...(Object.keys(counts) as (keyof typeof counts)[]).filter((what) => counts[what] > 0).map((what) => say[what](counts[what])),
  ].join(' ');
}
