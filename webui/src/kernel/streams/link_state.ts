/** How a stream is connected. `at`: when the next try is, in ms since 1970. */
export type LinkState =
  | { readonly is: 'connecting' | 'connected' | 'offline' | 'parked' }
  | { readonly is: 'reconnecting'; readonly at: number };

export const connecting: LinkState = { is: 'connecting' };
export const connected: LinkState = { is: 'connected' };
export const offline: LinkState = { is: 'offline' };
/** More streams were wanted than a browser should hold, and this one was used longest ago. */
export const parked: LinkState = { is: 'parked' };
