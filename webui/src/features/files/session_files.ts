import { fetchOk, problemFrom, request } from '../../kernel/api/http';
import type { Envelope, EventPage } from '../../kernel/api/types';
import { attachmentRefs, filesIn, text } from '../../kernel/session/payload';
import { attachmentUrl } from './attachment_url';

/** A file that a session names, and where it was named first. */
export interface NamedFile {
  readonly id: string;
  /** What was said with it, or '' where a tool left it. */
  readonly said: string;
  /** The tool that left it, or ''. */
  readonly toolId: string;
  readonly at: string;
}

/** What the server has under that id. `state` is `clean`, or the code of its refusal. */
export interface FileFacts {
  readonly state: string;
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
}

const pageEvents = 500;
/** More than this of a log is not read for a list of files. */
const pagesMax = 40;

/** Every attachment that the log names, the newest first. */
export async function filesOfSession(sessionId: string): Promise<NamedFile[]> {
  const events: Envelope[] = [];
  let after = 'start';
  for (let pages = 0; pages < pagesMax; pages++) {
    const query = new URLSearchParams({
      after, types: 'message.user,tool.call,tool.result', compact: 'true', limit: String(pageEvents),
    });
    const page = await request<EventPage>(`sessions/${encodeURIComponent(sessionId)}/events?${query}`);
    events.push(...page.events);
    if (page.next_cursor === null) break;
    after = page.next_cursor;
  }
  return filesNamedIn(events);
}

export function filesNamedIn(events: readonly Envelope[]): NamedFile[] {
  const found = new Map<string, NamedFile>();
  const tools = new Map<string, string>();
  const add = (id: string, said: string, toolId: string, at: string) => {
    if (id !== '' && !found.has(id)) found.set(id, { id, said, toolId, at });
  };
  for (const { type, payload, meta } of events) {
    const at = meta.created_at ?? '';
    if (type === 'tool.call') tools.set(text(payload.tool_call_id), text(payload.tool_id));
    if (type === 'message.user') {
      for (const { id } of attachmentRefs(payload.attachments)) add(id, text(payload.text), '', at);
    }
    if (type !== 'tool.result') continue;
    for (const id of filesIn(payload.output)) add(id, '', tools.get(text(payload.tool_call_id)) ?? '', at);
  }
  return [...found.values()].reverse();
}

/** Throws where the server could not be asked. */
export async function factsOf(id: string): Promise<FileFacts> {
  const answer = await fetch(attachmentUrl(id), { cache: 'no-cache', headers: { Range: 'bytes=0-0' } });
  const { headers } = answer;
  const isThere = answer.ok || answer.status === 416; // an empty file has no first byte
  const body = isThere ? {} : ((await answer.json().catch(() => ({}))) as Record<string, unknown>);
  if (isThere) await answer.body?.cancel();
  const { code } = problemFrom(answer.status, body, '');
  if (!isThere && !code.startsWith('attachment.')) throw problemFrom(answer.status, body, '');
  return {
    state: isThere ? 'clean' : code,
    filename: filenameOf(headers.get('Content-Disposition') ?? ''),
    contentType: isThere && answer.ok ? (headers.get('Content-Type') ?? '') : '',
    sizeBytes: Number(/\/(\d+)$/.exec(headers.get('Content-Range') ?? '')?.[1] ?? headers.get('Content-Length') ?? 0),
  };
}

/** RFC 6266: the form with an encoding says more than the plain one. */
export function filenameOf(disposition: string): string {
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  const plain = /filename="((?:[^"\\]|\\.)*)"/i.exec(disposition)?.[1]?.replace(/\\(.)/g, '$1') ?? '';
  try {
    return encoded === undefined ? plain : decodeURIComponent(encoded);
  } catch {
    return plain;
  }
}

/** As much as is shown of a text. */
export const previewBytes = 16_384;

/** The beginning of a file as text. */
export async function beginningOf(id: string): Promise<string> {
  const answer = await fetchOk(`attachments/${encodeURIComponent(id)}`, {
    headers: { Range: `bytes=0-${previewBytes - 1}` }, cache: 'no-cache',
  });
  // The last character may be cut in two.
  return new TextDecoder().decode(await answer.arrayBuffer()).replace(/\uFFFD$/, '');
}

export function deleteFile(id: string): Promise<void> {
  return request(`attachments/${encodeURIComponent(id)}`, { method: 'DELETE' });
}
