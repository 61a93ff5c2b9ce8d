import { backoff } from './backoff';

export type Connection = 'connecting' | 'connected' | 'reconnecting' | 'offline';

export interface LiveStreamOptions {
  /** Asked again for every connection this page opens, so it can name the position to go on from. */
  url(): string;
  types: readonly string[];
  onEvent(type: string, data: unknown): void;
  onConnection(state: Connection): void;
  onOpen?(): void;
  /** The server refused the stream for good reason or ill; answers whether to try again. */
  onRefused(): Promise<boolean>;
}

/** The server sends a heartbeat every 15 s of silence; this long without one, it is gone. */
const silenceMaxMs = 45_000;
/** A page in the background gives its connection back: a browser has six of them to a server. */
const hiddenKeepMs = 60_000;

/**
 * An EventSource that is kept open. EventSource itself reconnects after a lost connection, with
 * the last id it saw; it gives up at an answer that is not 200, and does not notice a connection
 * that died without a word. Here both end in a new one, after a growing pause.
 */
export class LiveStream {
  private source: EventSource | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private hidden: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private everConnected = false;
  private closed = false;

  constructor(private readonly options: LiveStreamOptions) {
    window.addEventListener('online', this.onOnline);
    window.addEventListener('offline', this.onOffline);
    document.addEventListener('visibilitychange', this.onVisibility);
    this.connect();
  }

  close(): void {
    this.closed = true;
    this.disconnect();
    clearTimeout(this.hidden);
    window.removeEventListener('online', this.onOnline);
    window.removeEventListener('offline', this.onOffline);
    document.removeEventListener('visibilitychange', this.onVisibility);
  }

  /** Opens anew at once, from where `url` says. */
  reopen(): void {
    if (!this.closed) this.connect();
  }

  private connect(): void {
    this.disconnect();
    this.tell();
    const source = new EventSource(this.options.url());
    this.source = source;
    this.watch();
    source.onopen = () => {
      this.failures = 0;
      this.everConnected = true;
      this.watch();
      this.options.onConnection('connected');
      this.options.onOpen?.();
    };
    for (const type of this.options.types) {
      source.addEventListener(type, (event) => this.take(source, type, event));
    }
    source.addEventListener('heartbeat', () => this.watch());
    source.onerror = (event) => {
      // The server's own events of type `error` have data and were taken above.
      if (event instanceof MessageEvent || this.source !== source) return;
      if (source.readyState === EventSource.CLOSED) void this.refused();
      else this.tell();
    };
  }

  private take(source: EventSource, type: string, event: Event): void {
    if (!(event instanceof MessageEvent) || this.source !== source) return;
    this.watch();
    this.options.onEvent(type, JSON.parse(event.data as string));
  }

  private async refused(): Promise<void> {
    this.disconnect();
    this.tell();
    const again = await this.options.onRefused().catch(() => true);
    if (!again || this.closed || this.source) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), backoff(this.failures++));
  }

  private disconnect(): void {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }

  private watch(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.connect(), silenceMaxMs);
  }

  private tell(): void {
    const lost = this.everConnected || this.failures > 0 ? 'reconnecting' : 'connecting';
    this.options.onConnection(navigator.onLine ? lost : 'offline');
  }

  private readonly onOnline = (): void => this.reopen();

  private readonly onOffline = (): void => this.options.onConnection('offline');

  private readonly onVisibility = (): void => {
    clearTimeout(this.hidden);
    if (document.visibilityState === 'hidden') {
      this.hidden = setTimeout(() => this.disconnect(), hiddenKeepMs);
    } else if (!this.source) {
      this.connect();
    }
  };
}
