import { backoff } from '../api/backoff';
import { connected, connecting, offline, type LinkState } from './link_state';

export interface LiveStreamOptions {
  /** Asked again for every connection, so it can name the position to go on from. */
  url(): string;
  types: readonly string[];
  /** `data` as it came; `id` is the last one the stream named, '' before the first. */
  onEvent(type: string, data: string, id: string): void;
  onState(state: LinkState): void;
  /** The server answered with something that is no stream; answers whether to try again. */
  onRefused(): Promise<boolean>;
}

/** The server sends a heartbeat every 15 s of silence; this long without one, it is gone. */
const silenceMaxMs = 45_000;

/**
 * An EventSource that is kept open, in a page or in a worker. EventSource would reconnect by
 * itself, but says neither when nor why not, and does not notice a connection that died without a
 * word. Here each of these ends in a new one, after a growing pause that can be told.
 */
export class LiveStream {
  private source: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private closed = false;

  constructor(private readonly options: LiveStreamOptions) {
    globalThis.addEventListener?.('online', this.onOnline);
    globalThis.addEventListener?.('offline', this.onOffline);
    this.options.onState(navigator.onLine ? connecting : offline);
    this.connect();
  }

  close(): void {
    this.closed = true;
    this.disconnect();
    globalThis.removeEventListener?.('online', this.onOnline);
    globalThis.removeEventListener?.('offline', this.onOffline);
  }

  /** Opens anew at once, from where `url` says. */
  reopen(): void {
    if (!this.closed) this.connect();
  }

  private connect(): void {
    this.disconnect();
    const source = new EventSource(this.options.url());
    this.source = source;
    this.watch();
    source.onopen = () => {
      if (this.source !== source) return;
      this.failures = 0;
      this.watch();
      this.options.onState(connected);
    };
    for (const type of this.options.types) {
      source.addEventListener(type, (event) => this.take(source, type, event));
    }
    source.addEventListener('heartbeat', () => this.watch());
    source.onerror = (event) => {
      // The server's own events of type `error` have data and were taken above.
      if (event instanceof MessageEvent || this.source !== source) return;
      void this.lost(source.readyState === EventSource.CLOSED);
    };
  }

  private take(source: EventSource, type: string, event: Event): void {
    if (!(event instanceof MessageEvent) || this.source !== source) return;
    this.watch();
    this.options.onEvent(type, event.data as string, event.lastEventId);
  }

  private async lost(wasRefused: boolean): Promise<void> {
    this.disconnect();
    const wait = backoff(this.failures++);
    this.options.onState(
      navigator.onLine ? { is: 'reconnecting', at: Date.now() + wait } : offline,
    );
    this.retry = setTimeout(() => this.connect(), wait);
    if (!wasRefused) return;
    const again = await this.options.onRefused().catch(() => true);
    if (!again) this.close();
  }

  private disconnect(): void {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }

  private watch(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => void this.lost(false), silenceMaxMs);
  }

  private readonly onOnline = (): void => this.reopen();

  private readonly onOffline = (): void => this.options.onState(offline);
}
