import { signal } from '@preact/signals';
import { apiUrl, Problem, request } from '../api/http';
import { LiveStream, type Connection } from '../api/live_stream';
import {
  sessionEventTypes, type Envelope, type SessionAction, type SessionInfo,
} from '../api/types';
import { fold, seqOf } from './fold';
import { emptySession } from './state';

/** How long a page may stay blank for want of knowing how much there is to read. */
const patienceMs = 1_500;

/**
 * One open session: reads its log from the start, stays on its stream, and shows what it folds to.
 * Every event is folded as it comes; views are told at most once a frame.
 */
export class SessionStore {
  readonly state = signal(emptySession);
  readonly connection = signal<Connection>('connecting');
  /** There is no such session, or it was deleted. */
  readonly gone = signal(false);

  private latest = emptySession;
  /** Until this seq is folded a long past is read, and drawing every step of it would be waste. */
  private showFrom = Number.POSITIVE_INFINITY;
  private frame: number | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly stream: LiveStream;

  constructor(readonly id: string) {
    this.stream = new LiveStream({
      url: () => this.streamUrl(),
      types: sessionEventTypes,
      onEvent: (type, data) => this.take(type, data),
      onConnection: (state) => (this.connection.value = state),
      onRefused: () => this.exists(),
    });
    void this.learnHead();
  }

  /** Nothing of it was ever seen. */
  get isEmpty(): boolean {
    return this.latest.headSeq === 0;
  }

  close(): void {
    this.stream.close();
    this.cancelShow();
  }

  async act(action: SessionAction): Promise<void> {
    await request('session/action', {
      method: 'POST', body: { session_id: this.id, action },
    });
  }

  private async learnHead(): Promise<void> {
    const waited = setTimeout(() => this.showAll(), patienceMs);
    const info = await this.read().catch(() => null);
    clearTimeout(waited);
    if (this.showFrom > 0) this.showFrom = seqOf(info?.last_event_id);
    this.show();
  }

  private showAll(): void {
    this.showFrom = 0;
    this.show();
  }

  private read(): Promise<SessionInfo> {
    return request<SessionInfo>(`sessions/${encodeURIComponent(this.id)}`);
  }

  private streamUrl(): string {
    const after = this.latest.lastEventId ?? 'start';
    const query = new URLSearchParams({ after, compact: 'true' });
    return apiUrl(`session/${encodeURIComponent(this.id)}/events?${query}`);
  }

  private take(type: string, data: unknown): void {
    if (type === 'stream.reset') this.showFrom = 0;
    this.latest = fold(this.latest, asEnvelope(type, data));
    if (this.latest.mustReload) {
      this.latest = emptySession;
      this.stream.reopen();
      return;
    }
    if (this.latest.deleted) {
      this.gone.value = true;
      this.stream.close();
    }
    this.show();
  }

  private show(): void {
    if (this.latest.headSeq < this.showFrom) return;
    if (this.frame !== undefined || this.timer !== undefined) return;
    const now = () => {
      this.cancelShow();
      this.state.value = this.latest;
    };
    // No frames are drawn in the background, but the title and the other parts still follow.
    if (document.visibilityState === 'hidden') this.timer = setTimeout(now, 250);
    else this.frame = requestAnimationFrame(now);
  }

  private cancelShow(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.frame = this.timer = undefined;
  }

  /** EventSource does not say why it was refused; a plain request does. */
  private async exists(): Promise<boolean> {
    try {
      await this.read();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) return true;
      if (error.status === 404 && error.isOurs) {
        this.gone.value = true;
        return false;
      }
      return error.status !== 401;
    }
  }
}

function asEnvelope(type: string, data: unknown): Envelope {
  const body = data as Partial<Envelope> & Record<string, unknown>;
  if (body.meta && body.payload) return body as Envelope;
  return { meta: {}, type, payload: body };
}
