import { request } from '../../kernel/api/http';
import type { MemoryPage } from '../../kernel/api/types';
import { queryOf, type MemoryFilter } from './filter';

const pageMax = 200;

/** All that fits, a line of JSON each, newest first; `told` after each page how many there are so far. */
export async function memoriesAsNdjson(
  filter: MemoryFilter, signal: AbortSignal, told: (n: number) => void,
): Promise<{ file: Blob; count: number }> {
  const pages: string[] = [];
  let count = 0;
  let cursor: string | null = null;
  do {
    const query = queryOf(filter);
    query.set('limit', String(pageMax));
    if (cursor !== null) query.set('cursor', cursor);
    const page: MemoryPage = await request<MemoryPage>(`memories?${query}`, { signal });
    pages.push(page.memories.map((memory) => `${JSON.stringify(memory)}\n`).join(''));
    count += page.memories.length;
    cursor = page.next_cursor;
    told(count);
  } while (cursor !== null);
  return { file: new Blob(pages, { type: 'application/x-ndjson' }), count };
}
