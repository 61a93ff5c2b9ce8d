import { StreamHub } from './hub';
import { offline, type LinkState } from './link_state';
import type { FromHub, ToHub } from './messages';

export interface ChannelOptions {
  readonly key: string;
  /** Absolute, without `after`. */
  readonly url: string;
  readonly types: readonly string[];
  /** The last event this page has, whenever the stream is joined; null for one without positions. */
  after(): string | null;
  /** What the stream had come to when this page joined it: what lies between is not told. */
  onJoined(at: string | null): void;
  onEvent(type: string, data: unknown): void;
  onState(state: LinkState): void;
  onRefused(status: number, code: string): void;
}

/** A page in the background leaves its streams after this long. */
const hiddenKeepMs = 60_000;
const aliveMs = 30_000;

/** A place in one of the hub's streams, kept until it is closed. */
export class Channel {
  /** Whether the hub counts this page in. */
  private isIn = false;

  constructor(private readonly streams: Streams, readonly options: ChannelOptions) {
    this.join();
  }

  close(): void {
    this.streams.drop(this);
    this.leave();
  }

  join(): void {
    this.isIn = true;
    const { key, url, types } = this.options;
    this.streams.send({ ask: 'join', channel: key, url, types, after: this.options.after() });
  }

  leave(): void {
    if (this.isIn) this.streams.send({ ask: 'leave', channel: this.options.key });
    this.isIn = false;
  }

  /** The reader looks here: back in, or still in and in use. */
  touch(): void {
    if (!this.isIn) this.join();
    else this.streams.send({ ask: 'touch', channel: this.options.key });
  }

  take(message: Exclude<FromHub, { tells: 'forgotten' }>): void {
    if (!this.isIn) return;
    switch (message.tells) {
      case 'joined': return this.options.onJoined(message.at);
      case 'event': return this.options.onEvent(message.type, JSON.parse(message.data));
      case 'state':
        if (message.state.is === 'parked') this.isIn = false;
        return this.options.onState(navigator.onLine ? message.state : offline);
      case 'refused':
        this.isIn = false;
        this.streams.drop(this);
        this.options.onRefused(message.status, message.code);
    }
  }
}

type Send = (message: ToHub) => void;

/** A workspace's line to the hub, and its places in the hub's streams. */
export class Streams {
  private readonly channels = new Set<Channel>();
  private toHub: Send | null = null;
  private hidden: ReturnType<typeof setTimeout> | undefined;
  private closePort = (): void => {};

  constructor(private readonly workspace: { readonly ended: AbortSignal }) {}

  open(options: ChannelOptions): Channel {
    this.begin();
    const channel = new Channel(this, options);
    this.channels.add(channel);
    return channel;
  }

  drop(channel: Channel): void {
    this.channels.delete(channel);
  }

  send(message: ToHub): void {
    this.toHub?.(message);
  }

  /** Asks every stream to try now. */
  readonly reconnectNow = (): void => this.send({ ask: 'reopen' });

  /** Whoever signs in next must not read on in streams of whoever signed out. */
  forget(): void {
    this.send({ ask: 'signed_out' });
  }

  dispose(): void {
    clearTimeout(this.hidden);
    for (const channel of [...this.channels]) channel.close();
    this.send({ ask: 'bye' });
    this.closePort();
    this.toHub = null;
  }

  private begin(): void {
    if (this.toHub || this.workspace.ended.aborted) return;
    this.toHub = this.throughWorker() ?? this.withinPage();
    const { ended: signal } = this.workspace;
    const alive = setInterval(() => this.send({ ask: 'alive' }), aliveMs);
    signal.addEventListener('abort', () => clearInterval(alive), { once: true });
    window.addEventListener('pagehide', () => {
      this.leaveAll();
      this.send({ ask: 'bye' });
    }, { signal });
    window.addEventListener('pageshow', this.comeBack, { signal });
    window.addEventListener('focus', this.comeBack, { signal });
    window.addEventListener('online', () => {
      this.comeBack();
      this.send({ ask: 'reopen' });
    }, { signal });
    window.addEventListener('offline', () => {
      for (const { options } of this.channels) options.onState(offline);
    }, { signal });
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.hidden);
      if (document.visibilityState === 'visible') return this.comeBack();
      this.hidden = setTimeout(() => this.leaveAll(), hiddenKeepMs);
    }, { signal });
  }

  private leaveAll(): void {
    for (const channel of this.channels) channel.leave();
  }

  private readonly comeBack = (): void => {
    for (const channel of this.channels) channel.touch();
  };

  private throughWorker(): Send | null {
    if (typeof SharedWorker === 'undefined') return null;
    try {
      const worker = new SharedWorker(new URL('./hub_worker.ts', import.meta.url), {
        type: 'module', name: 'soma-streams',
      });
      worker.port.onmessage = ({ data }: MessageEvent<FromHub>) => this.take(data);
      this.closePort = () => worker.port.close();
      // Its script is gone, as after an update of the server: this page sees to itself.
      worker.onerror = () => {
        if (this.workspace.ended.aborted) return;
        this.toHub = this.withinPage();
        for (const channel of this.channels) channel.join();
      };
      return (message) => worker.port.postMessage(message);
    } catch {
      return null;
    }
  }

  private withinPage(): Send {
    const hub = new StreamHub();
    const page = { postMessage: (message: FromHub) => queueMicrotask(() => this.take(message)) };
    return (message) => hub.take(page, message);
  }

  private take(message: FromHub): void {
    if (message.tells === 'forgotten') {
      for (const channel of this.channels) channel.join();
      return;
    }
    for (const channel of this.channels) {
      if (channel.options.key === message.channel) channel.take(message);
    }
  }
}
