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

  constructor(readonly options: ChannelOptions) {
    channels.add(this);
    connection.begin();
    this.join();
  }

  close(): void {
    channels.delete(this);
    this.leave();
  }

  join(): void {
    this.isIn = true;
    const { key, url, types } = this.options;
    connection.send({ ask: 'join', channel: key, url, types, after: this.options.after() });
  }

  leave(): void {
    if (this.isIn) connection.send({ ask: 'leave', channel: this.options.key });
    this.isIn = false;
  }

  /** The reader looks here: back in, or still in and in use. */
  touch(): void {
    if (!this.isIn) this.join();
    else connection.send({ ask: 'touch', channel: this.options.key });
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
        channels.delete(this);
        this.options.onRefused(message.status, message.code);
    }
  }
}

const channels = new Set<Channel>();

/** Asks every stream to try now. */
export function reconnectNow(): void {
  connection.send({ ask: 'reopen' });
}

/** Whoever signs in next must not read on in streams of whoever signed out. */
export function endStreams(): void {
  connection.send({ ask: 'signed_out' });
}

type Send = (message: ToHub) => void;

/** This page's line to the hub. */
class HubConnection {
  private toHub: Send | null = null;
  private hidden: ReturnType<typeof setTimeout> | undefined;

  begin(): void {
    if (this.toHub) return;
    this.toHub = this.throughWorker() ?? this.withinPage();
    setInterval(() => this.send({ ask: 'alive' }), aliveMs);
    window.addEventListener('pagehide', () => {
      for (const channel of channels) channel.leave();
      this.send({ ask: 'bye' });
    });
    window.addEventListener('pageshow', this.comeBack);
    window.addEventListener('focus', this.comeBack);
    window.addEventListener('online', () => {
      this.comeBack();
      this.send({ ask: 'reopen' });
    });
    window.addEventListener('offline', () => {
      for (const { options } of channels) options.onState(offline);
    });
    document.addEventListener('visibilitychange', () => {
      clearTimeout(this.hidden);
      if (document.visibilityState === 'visible') return this.comeBack();
      this.hidden = setTimeout(() => {
        for (const channel of channels) channel.leave();
      }, hiddenKeepMs);
    });
  }

  send(message: ToHub): void {
    this.toHub?.(message);
  }

  private readonly comeBack = (): void => {
    for (const channel of channels) channel.touch();
  };

  private throughWorker(): Send | null {
    if (typeof SharedWorker === 'undefined') return null;
    try {
      const worker = new SharedWorker(new URL('./hub_worker.ts', import.meta.url), {
        type: 'module', name: 'soma-streams',
      });
      worker.port.onmessage = ({ data }: MessageEvent<FromHub>) => this.take(data);
      // Its script is gone, as after an update of the server: this page sees to itself.
      worker.onerror = () => {
        this.toHub = this.withinPage();
        for (const channel of channels) channel.join();
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
      for (const channel of channels) channel.join();
      return;
    }
    for (const channel of channels) {
      if (channel.options.key === message.channel) channel.take(message);
    }
  }
}

const connection = new HubConnection();
