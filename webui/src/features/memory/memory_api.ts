import { fetchOk, request, requestTagged } from '../../kernel/api/http';
import type { DocumentForgotten, DocumentImported, Memory, MemoryChange, MemoryDocuments, MemoryUses } from '../../kernel/api/types';

/** A memory with the tag it must still have when it is written. */
export interface TaggedMemory {
  readonly memory: Memory;
  readonly etag: string;
}

export async function readMemory(id: string): Promise<TaggedMemory> {
  const { body, etag } = await requestTagged<Memory>(pathOf(id));
  return { memory: body, etag };
}

/** `etag`: of what was seen; none where nothing of it can be written over unseen. Throws `Problem`. */
export async function changeMemory(id: string, change: MemoryChange, etag?: string): Promise<Memory> {
  return request<Memory>(pathOf(id), {
    method: 'PATCH', body: change, ...(etag === undefined ? {} : { ifMatch: etag }),
  });
}

export interface NewNote {
  readonly text: string;
  readonly tags: readonly string[];
  readonly importance: number;
  readonly expires_at?: string;
}

/** What says the same as an earlier note is that note, and not new. */
export async function addNote(note: NewNote): Promise<{ memory: Memory; isNew: boolean }> {
  const answer = await fetchOk('memories', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(note),
  });
  return { memory: (await answer.json()) as Memory, isNew: answer.status === 201 };
}

/** Keeps the text of an attachment as knowledge; answers once all of it is kept. */
export function importDocument(attachmentId: string, signal: AbortSignal): Promise<DocumentImported> {
  return request<DocumentImported>('memory/import', { method: 'POST', body: { attachment_id: attachmentId }, signal });
}

export type KnownDocument = MemoryDocuments['documents'][number];

/** In the order of their ids, which tells nothing. */
export function listDocuments(limit: number, cursor: string | undefined): Promise<MemoryDocuments> {
  return request<MemoryDocuments>(`memory/documents?${pageQuery(limit, cursor)}`);
}

/** All that is kept of it; its attachment stays. */
export async function forgetDocument(attachmentId: string, keepalive: boolean): Promise<void> {
  await request<DocumentForgotten>(`memory/documents/${encodeURIComponent(attachmentId)}`, { method: 'DELETE', keepalive });
}

export type MemoryUse = MemoryUses['uses'][number];

/** The turns that were told of it, the newest first. */
export function listUses(id: string, limit: number, cursor: string | undefined, signal: AbortSignal): Promise<MemoryUses> {
  return request<MemoryUses>(`${pathOf(id)}/uses?${pageQuery(limit, cursor)}`, { signal });
}

export async function deleteMemory(id: string, keepalive: boolean): Promise<void> {
  await request(pathOf(id), { method: 'DELETE', keepalive });
}

function pageQuery(limit: number, cursor: string | undefined): URLSearchParams {
  return new URLSearchParams({ limit: String(limit), ...(cursor === undefined ? {} : { cursor }) });
}

function pathOf(id: string): string {
  return `memories/${encodeURIComponent(id)}`;
}
