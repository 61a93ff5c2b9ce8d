import { computed, signal, untracked } from '@preact/signals';
import { request } from '../../kernel/api/http';
import type { Envelope, SessionInfo, SessionPage } from '../../kernel/api/types';
import { epochOf, seqOf } from '../../kernel/session/fold';
import { Tenant } from '../../kernel/tenant';
import type { Workspace } from '../../kernel/workspace';
import { Unread } from './unread';

const pageSize = 100;

export function newestFirst(list: SessionInfo[]): SessionInfo[] {
  return list.sort((a, b) => (a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : 0));
}

type Rows = ReadonlyMap<string, SessionInfo>;

interface Stretch {
  /** Older than this; null: from the newest on. */
  readonly before: string | null;
  /** Newer than this; null: it is not known how far it goes. */
  readonly behind: string | null;
}

/** The caller's sessions, newest first, kept by the tenant's stream. */
export class SessionList {
  readonly isLoaded = signal(false);
  readonly nextCursor = signal<string | null>(null);
  /** All there are were read: what is not here is nowhere. */
  readonly isWhole = signal(false);
  readonly all = computed(() => newestFirst(
    [...this.known.value.values()].filter((s) => !this.leaving.value.has(s.session_id))));
  private readonly known = signal<ReadonlyMap<string, SessionInfo>>(new Map());
  /** Taken off the list, and deleted once the reader did not think better of it. */
  private readonly leaving = signal<ReadonlySet<string>>(new Set());
  private readonly unread: Unread;
  private readingList: Promise<void> | null = null;
  private reading: Promise<void> | null = null;
  /** Goes up whenever the list is read from its beginning: older pages under way end nowhere then. */
  private beginnings = 0;
  /** The last row of the pages read so far; what is newer and was not in them is not there any more. */
  private readTo: string | null = null;
  /** Deleted here or elsewhere: an answer that was on its way does not bring them back. */
  private readonly dropped = new Set<string>();

  constructor(workspace: Workspace) {
    this.unread = workspace.of(Unread);
    const tenant = workspace.of(Tenant);
    tenant.on('session.list', (data) => this.take(data));
    tenant.on('joined', () => void this.read());
    workspace.effect(() => {
      if (!tenant.isFollowed.value) untracked(() => this.forgetAll());
    });
    workspace.onEnd(() => this.beginnings++);
  }

  /** The first page, which also says whether there are older ones. */
  read(): Promise<void> {
    this.readingList ??= (async () => {
      const beginning = ++this.beginnings;
      const asOf = this.known.peek();
      try {
        const page = await request<SessionPage>(`sessions?limit=${pageSize}`);
        if (beginning !== this.beginnings) return;
        this.readTo = null;
        this.takePage(page, asOf);
        this.isLoaded.value = true;
      } catch {
        // The stream's next connection brings the list again.
      } finally {
        this.readingList = null;
      }
    })();
    return this.readingList;
  }

  /** One page more; asked again while one is on its way, it is that one. */
  readMore(): Promise<void> {
    const cursor = this.nextCursor.peek();
    if (cursor === null) return Promise.resolve();
    this.reading ??= (async () => {
      const beginning = this.beginnings;
      const asOf = this.known.peek();
      try {
        const query = new URLSearchParams({ limit: String(pageSize), cursor });
        const page = await request<SessionPage>(`sessions?${query}`);
        if (beginning === this.beginnings) this.takePage(page, asOf);
        else this.add(page.sessions);
      } finally {
        this.reading = null;
      }
    })();
    return this.reading;
  }

  /** A page is all there is between the one before it and its own last row. */
  private takePage({ sessions: rows, next_cursor: next = null }: SessionPage, asOf: Rows): void {
    const last = rows.at(-1)?.updated_at ?? null;
    this.takeStretch(rows, { before: this.readTo, behind: next === null ? '' : last }, asOf);
    this.readTo = last ?? this.readTo;
    this.nextCursor.value = next;
    this.isWhole.value = next === null;
  }

  /** Takes all rows of a stretch: what was known in it when they were asked for, and is not there, is gone. */
  private takeStretch(rows: readonly SessionInfo[], { before, behind }: Stretch, asOf: Rows): void {
    const there = new Set(rows.map((row) => row.session_id));
    const isGone = (row: SessionInfo) => behind !== null && !there.has(row.session_id) &&
      asOf.get(row.session_id) === row && row.updated_at > behind && (before === null || row.updated_at < before);
    if ([...this.known.peek().values()].some(isGone)) {
      this.known.value = new Map([...this.known.peek()].filter(([, row]) => !isGone(row)));
    }
    this.add(rows);
  }

  /** An answer may have been overtaken by what the stream told since: the newer row stays. */
  add(found: readonly SessionInfo[]): void {
    const all = new Map(this.known.peek());
    for (const session of found) {
      const mine = all.get(session.session_id);
      if (this.dropped.has(session.session_id) || (mine && isNewer(mine, session))) continue;
      all.set(session.session_id, session);
    }
    this.known.value = all;
  }

  /** Reads what of them is not known: those that are older than the list was read. What cannot be read stays unknown. */
  async learn(ids: readonly string[]): Promise<void> {
    if (!this.isLoaded.peek()) await this.read();
    const missing = [...new Set(ids)].filter((id) => !this.known.peek().has(id) && !this.dropped.has(id));
    const found = await Promise.allSettled(
      missing.map((id) => request<SessionInfo>(`sessions/${encodeURIComponent(id)}`)));
    const read = found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (read.length > 0) this.add(read);
  }

  async rename(id: string, title: string): Promise<void> {
    const before = this.known.peek().get(id);
    if (before) this.put({ ...before, title });
    try {
      const now = await request<SessionInfo>(`sessions/${encodeURIComponent(id)}`, {
        method: 'PATCH', body: { title },
      });
      this.unread.mark(id, seqOf(now.last_event_id));
    } catch (error) {
      if (before) this.put(before);
      throw error;
    }
  }

  /** Says who sees a session; what is not given stays. */
  async share(id: string, change: Partial<Pick<SessionInfo, 'visibility' | 'shared_with'>>): Promise<void> {
    this.put(await request<SessionInfo>(`sessions/${encodeURIComponent(id)}`, { method: 'PATCH', body: change }));
  }

  /** Hides a session, or brings it back; the server knows nothing of it yet. */
  setLeaving(id: string, isLeaving: boolean): void {
    const next = new Set(this.leaving.peek());
    if (isLeaving) next.add(id);
    else next.delete(id);
    this.leaving.value = next;
  }

  isLeaving(id: string): boolean {
    return this.leaving.value.has(id);
  }

  /** Deletes for good. With `atOnce` the request outlives the page. */
  async remove(id: string, atOnce = false): Promise<void> {
    await request(`sessions/${encodeURIComponent(id)}`, { method: 'DELETE', keepalive: atOnce });
    this.drop(id);
  }

  titleOf(id: string): string {
    return this.known.value.get(id)?.title ?? '';
  }

  infoOf(id: string): SessionInfo | undefined {
    return this.known.value.get(id);
  }

  forgetAll(): void {
    this.known.value = new Map();
    this.leaving.value = new Set();
    this.nextCursor.value = null;
    this.isWhole.value = false;
    this.isLoaded.value = false;
    this.dropped.clear();
    this.readTo = null;
    this.beginnings++;
  }

  /** What the tenant's stream says of the list: all of it, or a change. */
  take(data: unknown): void {
    const payload = (data as Partial<Envelope>).payload ?? (data as Record<string, unknown>);
    if (Array.isArray(payload.sessions)) {
      // A snapshot of the newest, at every connection: what was deleted in between is not in it. What
      // is older than its last row was read before, and is judged when it is read again.
      const all = payload.sessions as SessionInfo[];
      this.unread.begin(all);
      this.takeStretch(all, { before: null, behind: all.at(-1)?.updated_at ?? null }, this.known.peek());
      this.isLoaded.value = true;
      void this.read();
    } else if (payload.deleted === true) {
      this.drop(payload.session_id as string);
    } else if (payload.session) {
      this.put(payload.session as SessionInfo);
    }
  }

  private put(session: SessionInfo): void {
    const before = this.known.peek().get(session.session_id);
    this.dropped.delete(session.session_id);
    this.known.value = new Map(this.known.peek()).set(session.session_id, { ...before, ...session });
  }

  private drop(id: string): void {
    this.setLeaving(id, false);
    this.dropped.add(id);
    if (!this.known.peek().has(id)) return;
    const rest = new Map(this.known.peek());
    rest.delete(id);
    this.known.value = rest;
  }
}

function isNewer(a: SessionInfo, b: SessionInfo): boolean {
  const [ours, theirs] = [epochOf(a.last_event_id), epochOf(b.last_event_id)];
  return ours === theirs ? seqOf(a.last_event_id) > seqOf(b.last_event_id) : ours > theirs;
}
