import { effect, signal } from '@preact/signals';
import { request } from '../../kernel/api/http';
import { catalogVersion } from '../../kernel/settings';

/** The tools that may be run by hand, for `/tool`; read when it is first begun to be typed. */
export const toolNames = signal<readonly string[]>([]);

let isWatching = false;

export function wantToolNames(): void {
  if (isWatching) return;
  isWatching = true;
  effect(() => {
    void catalogVersion.value;
    void read();
  });
}

async function read(): Promise<void> {
  try {
    const { tools } = await request<{ tools: { id: string }[] }>('tools');
    toolNames.value = tools.map(({ id }) => id);
  } catch {
    // A server without tools: the panel says so.
  }
}
