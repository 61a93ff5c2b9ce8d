import { parked, type LinkState } from './link_state';
import { LiveStream } from './live_stream';
import type { FromHub, JoinRequest, Port, ToHub } from './messages';

/** HTTP/1.1 gives a browser six connections to a server; requests need some of them. */
const streamsMax = 4;
export const tenantChannel = '@me';
/** A page says that it lives every half minute, and one in the background once a minute. */
const lifeMs = 180_000;
const sweepMs = 60_000;

interface Channel {
  readonly key: string;
  readonly members: Set<Port>;
  readonly stream: LiveStream;
  state: LinkState;
  lastId: string | null;
  usedAt: number;
}

/**
 * The event streams of all pages of one browser: one for the tenant, one for each session that is
 * shown anywhere. Lives in a SharedWorker, or in the page where there is none.
 */
export class StreamHub {
  private readonly channels = new Map<string, Channel>();
  private readonly pages = new Map<Port, number>();
  private sweeper: ReturnType<typeof setInterval> | undefined;
  private clock = 0;

  take(page: Port, message: ToHub): void {
    const isKnown = this.pages.has(page);
    this.pages.set(page, Date.now());
    this.sweeper ??= setInterval(() => this.sweep(), sweepMs);
    switch (message.ask) {
      case 'join': return this.join(page, message);
      case 'leave': return this.leave(page, message.channel);
      case 'touch': return this.touch(message.channel);
      case 'reopen':
        for (const channel of this.channels.values()) channel.stream.reopen();
        return;
      case 'alive':
        if (!isKnown) page.postMessage({ tells: 'forgotten' });
        return;
      case 'bye': return this.drop(page);
      case 'signed_out':
        for (const channel of [...this.channels.values()]) {
          this.end(channel, { tells: 'refused', channel: channel.key, status: 401, code: '' });
        }
    }
  }

  private join(page: Port, request: JoinRequest): void {
    const key = request.channel;
    let channel = this.channels.get(key);
    if (!channel) {
      this.makeRoom(key);
      channel = this.open(request);
    }
    channel.usedAt = ++this.clock;
    channel.members.add(page);
    page.postMessage({ tells: 'joined', channel: key, at: channel.lastId });
    page.postMessage({ tells: 'state', channel: key, state: channel.state });
  }

  private open({ channel: key, url, types, after }: JoinRequest): Channel {
    // The stream speaks only in later tasks, when `channel` is there; but for its first state.
    let state: LinkState = { is: 'connecting' };
    let channel: Channel | null = null;
    const stream = new LiveStream({
      types,
      url: () => urlAt(url, channel ? channel.lastId : after),
      onState: (now) => {
        state = now;
        if (!channel) return;
        channel.state = now;
        this.tell(channel, { tells: 'state', channel: key, state: now });
      },
      onEvent: (type, data, id) => {
        if (!channel) return;
        if (after !== null) channel.lastId = type === 'stream.reset' ? resetTo(data) : id || channel.lastId;
        this.tell(channel, { tells: 'event', channel: key, type, data });
      },
      onRefused: async () => {
        const reason = await whyRefused(urlAt(url, channel ? channel.lastId : after));
        if (!channel || reason === null) return true;
        // All left while it was asked, and somebody may have joined anew.
        if (this.channels.get(key) !== channel) return false;
        this.end(channel, { tells: 'refused', channel: key, ...reason });
        return false;
      },
    });
    channel = { key, members: new Set(), stream, state, lastId: after, usedAt: 0 };
    this.channels.set(key, channel);
    return channel;
  }

  private leave(page: Port, key: string): void {
    const channel = this.channels.get(key);
    if (!channel?.members.delete(page) || channel.members.size > 0) return;
    channel.stream.close();
    this.channels.delete(key);
  }

  private touch(key: string): void {
    const channel = this.channels.get(key);
    if (channel) channel.usedAt = ++this.clock;
  }

  private drop(page: Port): void {
    for (const key of [...this.channels.keys()]) this.leave(page, key);
    this.pages.delete(page);
    if (this.pages.size > 0) return;
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }

  private makeRoom(forKey: string): void {
    const sessions = [...this.channels.values()].filter(({ key }) => key !== tenantChannel);
    if (forKey === tenantChannel || sessions.length < streamsMax - 1) return;
    const oldest = sessions.reduce((a, b) => (a.usedAt <= b.usedAt ? a : b));
    this.end(oldest, { tells: 'state', channel: oldest.key, state: parked });
  }

  private end(channel: Channel, last: FromHub): void {
    channel.stream.close();
    if (this.channels.get(channel.key) === channel) this.channels.delete(channel.key);
    this.tell(channel, last);
  }

  private tell({ members }: Channel, message: FromHub): void {
    for (const page of members) page.postMessage(message);
  }

  /** A page that crashed said no farewell. */
  private sweep(): void {
    const before = Date.now() - lifeMs;
    for (const [page, heardAt] of this.pages) if (heardAt < before) this.drop(page);
  }
}

function urlAt(url: string, after: string | null): string {
  if (after === null) return url;
  const at = new URL(url);
  at.searchParams.set('after', after);
  return at.href;
}

function resetTo(data: string): string {
  try {
    const body = JSON.parse(data) as { from?: string; payload?: { from?: string } };
    return body.payload?.from ?? body.from ?? 'start';
  } catch {
    return 'start';
  }
}

/** EventSource does not tell; a request does. Null where another try is worth it. */
async function whyRefused(url: string): Promise<{ status: number; code: string } | null> {
  const enough = new AbortController();
  try {
    const answer = await fetch(url, {
      headers: { Accept: 'text/event-stream' }, signal: enough.signal, cache: 'no-store',
    });
    if (answer.ok || answer.status >= 500 || answer.status === 429) return null;
    const body = (await answer.json().catch(() => ({}))) as { code?: unknown };
    const code = typeof body.code === 'string' ? body.code : '';
    // A proxy before the gateway may well say 404 while the gateway restarts.
    return answer.status === 401 || code !== '' ? { status: answer.status, code } : null;
  } catch {
    return null;
  } finally {
    enough.abort();
  }
}
