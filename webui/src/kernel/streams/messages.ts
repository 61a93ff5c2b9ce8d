import type { LinkState } from './link_state';

/** What a page asks of the hub. A channel is named by its key: `@me`, or a session's id. */
export type ToHub =
  | JoinRequest
  | { readonly ask: 'leave' | 'touch'; readonly channel: string }
  /** reopen: now rather than later; alive: the page is still there; bye: it is not. */
  | { readonly ask: 'reopen' | 'alive' | 'bye' | 'signed_out' };

export interface JoinRequest {
  readonly ask: 'join';
  readonly channel: string;
  /** Absolute, without `after`. */
  readonly url: string;
  readonly types: readonly string[];
  /** The last event the page has; null where the stream has no positions. */
  readonly after: string | null;
}

/** What the hub tells a page. */
export type FromHub =
  /** `at`: what the channel's stream had come to when the page joined. */
  | { readonly tells: 'joined'; readonly channel: string; readonly at: string | null }
  | { readonly tells: 'state'; readonly channel: string; readonly state: LinkState }
  | { readonly tells: 'event'; readonly channel: string; readonly type: string; readonly data: string }
  /** The server will not give this stream; the channel is over. */
  | { readonly tells: 'refused'; readonly channel: string; readonly status: number; readonly code: string }
  /** The hub had taken the page for gone: join again. */
  | { readonly tells: 'forgotten' };

/** The part of a MessagePort that is needed, so that a test can stand in for it. */
export interface Port {
  postMessage(message: FromHub): void;
}
