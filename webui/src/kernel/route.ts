import { computed, signal } from '@preact/signals';

/**
 * Where the page is, as it stands behind the `#`: `#s=<id>` a chat, `#new` a new one, `&at=<message>`
 * what of the chat is looked for, and `&open=<place>` what is open over the chat, with what that is
 * about.
 */
export interface Address {
  /** Null is a new chat. */
  readonly chat: string | null;
  /** A message of the chat, or a tool call, that is to be brought into view. */
  readonly message?: string | undefined;
  /** Null where nothing is open. */
  readonly place: string | null;
  readonly params: Params;
}

export type Params = Readonly<Record<string, string>>;

/** What a place cannot call what it is about. */
export const ownParams: ReadonlySet<string> = new Set(['s', 'new', 'at', 'open', 'signin', 'signin_failed']);

export const address = signal<Address>(parse(location.hash));

/** Goes up with each wish to see a message, since the same may be wished for twice. */
export const arrivals = signal(0);

/** The chat that is shown. */
export const selected = computed(() => address.value.chat);

export function parse(hash: string): Address {
  const all = new URLSearchParams(hash.slice(1));
  const place = all.get('open');
  const chat = all.get('s');
  const message = all.get('at');
  const params = [...all].filter(([name]) => place !== null && !ownParams.has(name));
  return {
    chat, place, params: Object.fromEntries(params), ...(chat !== null && message !== null ? { message } : {}),
  };
}

export function hrefOf(
  chat: string | null, place: string | null = null, params: Params = {}, message?: string,
): string {
  const start = chat === null ? 'new' : `s=${encodeURIComponent(chat)}`;
  const at = chat === null || message === undefined ? '' : `&at=${encodeURIComponent(message)}`;
  const rest = place === null ? '' : `&${new URLSearchParams({ open: place, ...params })}`;
  return `#${start}${at}${rest}`;
}

/** Shows a chat, and nothing over it. */
export function select(chat: string | null): void {
  const here = address.peek();
  // What is open is left, and nothing to come back to.
  go({ chat, place: null, params: {} }, here.place === null ? 'push' : 'replace');
}

/** Shows a chat where that was said. From what is open it is a step, so that Back comes back to it. */
export function selectAt(chat: string, message: string | undefined): void {
  arrivals.value++;
  go({ chat, place: null, params: {}, message }, 'push');
}

/** What was looked for is not looked for any more, as when the reader goes on writing. */
export function leaveMessage(): void {
  const { message: _, ...here } = address.peek();
  go(here, 'replace');
}

/** The chat that is shown is this one from now on; what is open over it stays. */
export function become(chat: string): void {
  const here = address.peek();
  const { message: _, ...rest } = here;
  go({ ...rest, chat }, here.place === null ? 'push' : 'replace');
}

/** As `select`, without a step to go back to. */
export function show(chat: string): void {
  go({ chat, place: null, params: {} }, 'replace');
}

/** Opens a place over the chat, or in place of the one that is open. */
export function open(place: string, params: Params = {}): void {
  const here = address.peek();
  go({ ...here, place, params }, here.place === null ? 'over' : 'replace');
}

/** Closes the place of that name, if it is still the one that is open. */
export function close(place: string): void {
  const here = address.peek();
  if (here.place !== place) return;
  address.value = { ...here, place: null, params: {} };
  if (!isOver(history.state)) return write('replace');
  // It was opened here, so the step before is the chat without it.
  isGoingBack = true;
  history.back();
}

type Hold = (go: () => void) => boolean;

/** Asked before a step back or forth leaves what is open: true says that `go` may be done later. */
let hold: Hold = () => false;
/** A step back that this page asked for is under way. */
let isGoingBack = false;

export function holdAddress(by: Hold): () => void {
  hold = by;
  return () => {
    if (hold === by) hold = () => false;
  };
}

/** Takes the one-time token out of `#signin=<token>`, and out of the address bar. */
export const takeSignInToken = () => take('signin');
/** As why the server says that a sign-in by its provider came to nothing: `#signin_failed=<code>`. */
export const takeSignInFailure = () => take('signin_failed');

function take(name: 'signin' | 'signin_failed'): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get(name);
  if (token === null) return null;
  const { chat, place, params, message } = address.peek();
  const isBare = chat === null && place === null;
  history.replaceState(null, '', isBare ? location.pathname + location.search : hrefOf(chat, place, params, message));
  return token;
}

/** The chat that is shown is nothing to whoever signs in next. */
export function leaveAddress(): void {
  history.replaceState(null, '', location.pathname + location.search);
  address.value = parse('');
}

export function startRouting(): void {
  if (selected.peek() !== null) write('replace');
  window.addEventListener('popstate', () => {
    if (!isGoingBack) return arrive();
    isGoingBack = false;
    // Somewhere else was gone to meanwhile.
    if (!isHere(parse(location.hash))) write('push');
  });
  window.addEventListener('hashchange', arrive);
}

function arrive(): void {
  if (isGoingBack || /^#signin(_failed)?=/.test(location.hash)) return;
  const next = parse(location.hash);
  const here = address.peek();
  if (isHere(next)) return;
  const leaves = here.place !== null && (next.place !== here.place || next.chat !== here.chat);
  if (leaves && hold(() => close(here.place ?? ''))) return write('over');
  address.value = next;
}

function go(next: Address, how: How): void {
  if (isHere(next)) return;
  address.value = next;
  write(how);
}

/** `over`: a step that was made by opening something, and can be gone back to close it. */
type How = 'push' | 'replace' | 'over';

function write(how: How): void {
  if (isGoingBack) return;
  if (how === 'replace') history.replaceState(address.peek().place === null ? null : history.state, '', hrefHere());
  else history.pushState(how === 'over' ? { over: true } : null, '', hrefHere());
}

function hrefHere(): string {
  const { chat, place, params, message } = address.peek();
  return hrefOf(chat, place, params, message);
}

function isHere({ chat, place, params, message }: Address): boolean {
  return hrefOf(chat, place, params, message) === hrefHere();
}

function isOver(state: unknown): boolean {
  return typeof state === 'object' && state !== null && 'over' in state;
}
