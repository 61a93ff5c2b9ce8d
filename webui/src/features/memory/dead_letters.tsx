import { useState } from 'preact/hooks';
import { request } from '../../kernel/api/http';
import type { DeadLetterPage } from '../../kernel/api/types';
import { Resource } from '../../kernel/resource';
import { Toasts } from '../../kernel/toasts';
import type { Workspace } from '../../kernel/workspace';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { usePart, useResource, useWorkspace } from '../../ui/use_part';
import { MemoryHealth } from './memory_health';
import { texts } from './texts';

/** What SomaBrain refused for good, the oldest first, and why. An admin's. */
class DeadLetters extends Resource<DeadLetterPage> {
  constructor(workspace: Workspace) {
    super(workspace, { path: 'admin/dlq?sink=somabrain&limit=50', changedBy: ['memory.changed', 'health.changed'] });
  }
}

/** Folded, and read when it is unfolded; nothing where nothing was refused, or where it is not the reader's. */
export function Refused() {
  const [open, setOpen] = useState(false);
  const { role } = useWorkspace().identity.value;
  const failed = usePart(MemoryHealth).value.value?.failed ?? 0;
  if (failed === 0 || role !== 'admin') return null;
  return (
    <details class="memory-refused" open={open}>
      <summary onClick={(event) => { event.preventDefault(); setOpen(!open); }}>
        <Icon name="chevron" />{texts.refused.title}
      </summary>
      {open && <Letters />}
    </details>
  );
}

function Letters() {
  const letters = useResource(DeadLetters);
  const { attempt } = usePart(Toasts);
  const health = usePart(MemoryHealth);
  const page = letters.value.value;
  const again = (id: string) => void attempt(async () => {
    await request(`admin/dlq/${encodeURIComponent(id)}/requeue`, { method: 'POST' });
    await Promise.all([letters.read(), health.read()]);
  });
  return (
    <>
      <Problem text={letters.problem.value} onRetry={() => letters.read()} />
      {page?.rows.length === 0 && <p class="note">{texts.refused.none}</p>}
      <ul>
        {page?.rows.map(({ id, last_error: why, attempts, last_at: at }) => (
          <li key={id}>
            <span dir="auto">{why}</span>
            <small>{texts.refused.tried(attempts, new Date(at).toLocaleString())}</small>
            <button type="button" class="small" onClick={() => again(id)}>{texts.refused.again}</button>
          </li>
        ))}
      </ul>
      {page && page.next_cursor !== null && <p class="note">{texts.refused.more}</p>}
    </>
  );
}
