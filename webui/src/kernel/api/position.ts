/**
 * What answers of a cluster rested on, so that another node that a balancer picks next has read as much before it
 * answers: "partition.offset" in `Soma-Position`, of each partition the greatest. Each is sent for a minute, within
 * which every node has read it; a log that was restored with less is not asked for for longer.
 */

const SENT_FOR_MS = 60_000;
/** As many as a node looks at. */
const PARTITIONS_MAX = 64;

const seen = new Map<string, { offset: number; at: number }>();

export function notePosition(said: string | null, now = Date.now()): void {
  const match = /^(\d{1,9})\.(\d{1,15})$/.exec(said ?? '');
  if (!match) return;
  const [, partition = '', digits = ''] = match;
  const offset = Number(digits);
  const known = seen.get(partition);
  if (known && known.offset > offset && now - known.at < SENT_FOR_MS) return;
  seen.delete(partition);
  seen.set(partition, { offset, at: now });
  const oldest = seen.keys().next();
  if (seen.size > PARTITIONS_MAX && !oldest.done) seen.delete(oldest.value);
}

/** Empty where nothing is to be waited for. */
export function positions(now = Date.now()): string {
  const all: string[] = [];
  for (const [partition, { offset, at }] of seen) {
    if (now - at < SENT_FOR_MS) all.push(`${partition}.${offset}`);
    else seen.delete(partition);
  }
  return all.join(', ');
}

export function forgetPositions(): void {
  seen.clear();
}
