import { computed, signal } from '@preact/signals';
import { request } from '../api/http';
import type { Envelope, SessionInfo, SessionPage } from '../api/types';
import { seqOf } from '../session/fold';
import { beginUnread, markSeen } from './unread';

/** The caller's sessions, newest first, kept by the tenant's stream. */
const known = signal<ReadonlyMap<string, SessionInfo>>(new Map());
/** Taken off the list, and deleted once the reader did not think better of it. */
const leaving = signal<ReadonlySet<string>>(new Set());
export const loaded = signal(false);
export const nextCursor = signal<string | null>(null);

export const sessions = computed(() =>
  newestFirst([...known.value.values()].filter((s) => !leaving.value.has(s.session_id))),
);

const pageSize = 100;
let readingList: Promise<void> | null = null;
let reading: Promise<void> | null = null;

export function newestFirst(list: SessionInfo[]): SessionInfo[] {
  return list.sort((a, b) => (a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : 0));
}

/** The first page, which also says whether there are older ones. */
export function readList(): Promise<void> {
  readingList ??= (async () => {
    try {
      takePage(await request<SessionPage>(`sessions?limit=${pageSize}`));
      loaded.value = true;
    } catch {
      // The stream's next connection brings the list again.
    } finally {
      readingList = null;
    }
  })();
  return readingList;
}

/** One page more; asked again while one is on its way, it is that one. */
export function readMore(): Promise<void> {
  const cursor = nextCursor.peek();
  if (cursor === null) return Promise.resolve();
  reading ??= (async () => {
    try {
      const query = new URLSearchParams({ limit: String(pageSize), cursor });
      takePage(await request<SessionPage>(`sessions?${query}`));
    } finally {
      reading = null;
    }
  })();
  return reading;
}

function takePage(page: SessionPage): void {
  addSessions(page.sessions);
  nextCursor.value = page.next_cursor ?? null;
}

export function addSessions(found: readonly SessionInfo[]): void {
  const all = new Map(known.peek());
  for (const session of found) all.set(session.session_id, session);
  known.value = all;
}

export async function rename(id: string, title: string): Promise<void> {
  const before = known.peek().get(id);
  if (before) put({ ...before, title });
  try {
    const now = await request<SessionInfo>(`sessions/${encodeURIComponent(id)}`, {
      method: 'PATCH', body: { title },
    });
    markSeen(id, seqOf(now.last_event_id));
  } catch (error) {
    if (before) put(before);
    throw error;
  }
}

/** Hides a session, or brings it back; the server knows nothing of it yet. */
export function setLeaving(id: string, isLeaving: boolean): void {
  const next = new Set(leaving.peek());
  if (isLeaving) next.add(id);
  else next.delete(id);
  leaving.value = next;
}

export function isLeaving(id: string): boolean {
  return leaving.value.has(id);
}

/** Deletes for good. With `atOnce` the request outlives the page. */
export async function remove(id: string, atOnce = false): Promise<void> {
  await request(`sessions/${encodeURIComponent(id)}`, { method: 'DELETE', keepalive: atOnce });
  drop(id);
}

export function titleOf(id: string): string {
  return known.value.get(id)?.title ?? '';
}

export function infoOf(id: string): SessionInfo | undefined {
  return known.value.get(id);
}

export function forgetSessions(): void {
  known.value = new Map();
  leaving.value = new Set();
  nextCursor.value = null;
  loaded.value = false;
}

/** What the tenant's stream says of the list: all of it, or a change. */
export function takeList(data: unknown): void {
  const payload = (data as Partial<Envelope>).payload ?? (data as Record<string, unknown>);
  if (Array.isArray(payload.sessions)) {
    // A snapshot, at every connection: what was deleted in between is not in it.
    const all = payload.sessions as SessionInfo[];
    beginUnread(all);
    known.value = new Map(all.map((s) => [s.session_id, s]));
    loaded.value = true;
    void readList();
  } else if (payload.deleted === true) {
    drop(payload.session_id as string);
  } else if (payload.session) {
    put(payload.session as SessionInfo);
  }
}

function put(session: SessionInfo): void {
  const before = known.peek().get(session.session_id);
  known.value = new Map(known.peek()).set(session.session_id, { ...before, ...session });
}

function drop(id: string): void {
  setLeaving(id, false);
  if (!known.peek().has(id)) return;
  const rest = new Map(known.peek());
  rest.delete(id);
  known.value = rest;
}
