import { computed, signal } from '@preact/signals';
import { request } from '../../kernel/api/http';
import type { Envelope, SessionInfo, SessionPage } from '../../kernel/api/types';
import { epochOf, seqOf } from '../../kernel/session/fold';
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
/** Goes up whenever the list is read from its beginning: older pages under way end nowhere then. */
let beginnings = 0;
/** The last row of the pages read so far; what is newer and was not in them is not there any more. */
let readTo: string | null = null;
/** Deleted here or elsewhere: an answer that was on its way does not bring them back. */
const dropped = new Set<string>();

export function newestFirst(list: SessionInfo[]): SessionInfo[] {
  return list.sort((a, b) => (a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : 0));
}

/** The first page, which also says whether there are older ones. */
export function readList(): Promise<void> {
  readingList ??= (async () => {
    const beginning = ++beginnings;
    const asOf = known.peek();
    try {
      const page = await request<SessionPage>(`sessions?limit=${pageSize}`);
      if (beginning !== beginnings) return;
      readTo = null;
      takePage(page, asOf);
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
    const beginning = beginnings;
    const asOf = known.peek();
    try {
      const query = new URLSearchParams({ limit: String(pageSize), cursor });
      const page = await request<SessionPage>(`sessions?${query}`);
      if (beginning === beginnings) takePage(page, asOf);
      else addSessions(page.sessions);
    } finally {
      reading = null;
    }
  })();
  return reading;
}

type Rows = ReadonlyMap<string, SessionInfo>;

/** A page is all there is between the one before it and its own last row. */
function takePage({ sessions: rows, next_cursor: next = null }: SessionPage, asOf: Rows): void {
  const last = rows.at(-1)?.updated_at ?? null;
  takeStretch(rows, { before: readTo, behind: next === null ? '' : last }, asOf);
  readTo = last ?? readTo;
  nextCursor.value = next;
}

interface Stretch {
  /** Older than this; null: from the newest on. */
  readonly before: string | null;
  /** Newer than this; null: it is not known how far it goes. */
  readonly behind: string | null;
}

/** Takes all rows of a stretch: what was known in it when they were asked for, and is not there, is gone. */
function takeStretch(rows: readonly SessionInfo[], { before, behind }: Stretch, asOf: Rows): void {
  const there = new Set(rows.map((row) => row.session_id));
  const isGone = (row: SessionInfo) => behind !== null && !there.has(row.session_id) &&
    asOf.get(row.session_id) === row && row.updated_at > behind && (before === null || row.updated_at < before);
  if ([...known.peek().values()].some(isGone)) {
    known.value = new Map([...known.peek()].filter(([, row]) => !isGone(row)));
  }
  addSessions(rows);
}

/** An answer may have been overtaken by what the stream told since: the newer row stays. */
export function addSessions(found: readonly SessionInfo[]): void {
  const all = new Map(known.peek());
  for (const session of found) {
    const mine = all.get(session.session_id);
    if (dropped.has(session.session_id) || (mine && isNewer(mine, session))) continue;
    all.set(session.session_id, session);
  }
  known.value = all;
}

function isNewer(a: SessionInfo, b: SessionInfo): boolean {
  const [ours, theirs] = [epochOf(a.last_event_id), epochOf(b.last_event_id)];
  return ours === theirs ? seqOf(a.last_event_id) > seqOf(b.last_event_id) : ours > theirs;
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
  dropped.clear();
  readTo = null;
  beginnings++;
}

/** What the tenant's stream says of the list: all of it, or a change. */
export function takeList(data: unknown): void {
  const payload = (data as Partial<Envelope>).payload ?? (data as Record<string, unknown>);
  if (Array.isArray(payload.sessions)) {
    // A snapshot of the newest, at every connection: what was deleted in between is not in it. What
    // is older than its last row was read before, and is judged when it is read again.
    const all = payload.sessions as SessionInfo[];
    beginUnread(all);
    takeStretch(all, { before: null, behind: all.at(-1)?.updated_at ?? null }, known.peek());
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
  dropped.delete(session.session_id);
  known.value = new Map(known.peek()).set(session.session_id, { ...before, ...session });
}

function drop(id: string): void {
  setLeaving(id, false);
  dropped.add(id);
  if (!known.peek().has(id)) return;
  const rest = new Map(known.peek());
  rest.delete(id);
  known.value = rest;
}
