import { fetchOk, request } from '../../kernel/api/http';
import type { History, Imported } from '../../kernel/api/types';
import { newKey } from '../../kernel/api/new_key';
import { offerFile } from '../../ui/offer_file';

/** The session as a document that this or another server takes in again. */
export async function exportNdjson(id: string, title: string): Promise<void> {
  const answer = await fetchOk('sessions/export', {
    method: 'POST', headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ session_id: id }),
  });
  offerFile(await answer.blob(), `${fileNameOf(id, title)}.ndjson`);
}

/** The conversation to be read elsewhere; nothing takes it in again. */
export async function exportMarkdown(id: string, title: string): Promise<void> {
  const { history } = await readHistory(id);
  offerFile(new Blob([history], { type: 'text/markdown' }), `${fileNameOf(id, title)}.md`);
}

export function readHistory(id: string): Promise<History> {
  return request<History>(`sessions/${encodeURIComponent(id)}/history`);
}

export async function importNdjson(file: Blob): Promise<Imported> {
  const answer = await fetchOk('sessions/import', {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson', 'Idempotency-Key': newKey() },
    body: file,
  });
  return (await answer.json()) as Imported;
}

function fileNameOf(id: string, title: string): string {
  const words = title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60);
  return words || id;
}
