import { computed, signal } from '@preact/signals';
import { apiUrl, request } from '../api/http';
import { LiveStream, type Connection } from '../api/live_stream';
import { tenantEventTypes, type Envelope, type SessionInfo, type SessionPage } from '../api/types';
import { readRuntimeConfig } from './account';
import { settingsVersion } from './settings';

/** The caller's sessions, newest first, kept by the tenant's stream. */
const known = signal<ReadonlyMap<string, SessionInfo>>(new Map());
export const loaded = signal(false);
export const nextCursor = signal<string | null>(null);
/** How the page as a whole is connected. */
export const connection = signal<Connection>('connecting');

export const sessions = computed(() =>
  [...known.value.values()].sort((a, b) => lastUse(b).localeCompare(lastUse(a))),
);

const pageSize = 60;
let stream: LiveStream | null = null;
let connectedBefore = false;

export function follow(): void {
  if (stream) return;
  connectedBefore = false;
  stream = new LiveStream({
    url: () => apiUrl('session/@me/events'),
    types: tenantEventTypes,
    onEvent: take,
    onConnection: (state) => (connection.value = state),
    onOpen: () => {
      // What changed while the connection was lost is not told again.
      if (connectedBefore) readSettings();
      connectedBefore = true;
    },
    onRefused: async () => {
      await request('auth/whoami');
      return true;
    },
  });
}

export function unfollow(): void {
  stream?.close();
  stream = null;
  known.value = new Map();
  loaded.value = false;
}

/** The first page, which also says whether there are older ones. */
async function readList(): Promise<void> {
  try {
    const page = await request<SessionPage>(`sessions?limit=${pageSize}`);
    const all = new Map(known.value);
    for (const session of page.sessions) all.set(session.session_id, session);
    known.value = all;
    nextCursor.value = page.next_cursor ?? null;
    loaded.value = true;
  } catch {
    // The stream's next connection brings the list again.
  }
}

export async function readMore(): Promise<void> {
  const cursor = nextCursor.value;
  if (cursor === null) return;
  const query = new URLSearchParams({ limit: String(pageSize), cursor });
  const page = await request<SessionPage>(`sessions?${query}`);
  const all = new Map(known.value);
  for (const session of page.sessions) all.set(session.session_id, session);
  known.value = all;
  nextCursor.value = page.next_cursor ?? null;
}

export async function rename(id: string, title: string): Promise<void> {
  const before = known.value.get(id);
  if (before) put({ ...before, title });
  try {
    await request(`sessions/${encodeURIComponent(id)}`, { method: 'PATCH', body: { title } });
  } catch (error) {
    if (before) put(before);
    throw error;
  }
}

export async function remove(id: string): Promise<void> {
  await request(`sessions/${encodeURIComponent(id)}`, { method: 'DELETE' });
  drop(id);
}

export function titleOf(id: string): string {
  return known.value.get(id)?.title ?? '';
}

function take(type: string, data: unknown): void {
  if (type === 'settings.changed' || type === 'health.changed') readSettings();
  if (type !== 'session.list') return;
  const payload = (data as Partial<Envelope>).payload ?? (data as Record<string, unknown>);
  if (Array.isArray(payload.sessions)) {
    // A snapshot, at every connection: what was deleted in between is not in it.
    known.value = new Map((payload.sessions as SessionInfo[]).map((s) => [s.session_id, s]));
    loaded.value = true;
    void readList();
  } else if (payload.deleted === true) {
    drop(payload.session_id as string);
  } else if (payload.session) {
    put(payload.session as SessionInfo);
  }
}

function readSettings(): void {
  settingsVersion.value++;
  void readRuntimeConfig();
}

function put(session: SessionInfo): void {
  const before = known.value.get(session.session_id);
  known.value = new Map(known.value).set(session.session_id, { ...before, ...session });
}

function drop(id: string): void {
  const rest = new Map(known.value);
  rest.delete(id);
  known.value = rest;
}

export function lastUse(session: SessionInfo): string {
  return session.updated_at;
}
