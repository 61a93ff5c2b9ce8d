import { t } from '../texts/texts';
import { notePosition, positions } from './position';

/**
 * Requests to the gateway, relative to the page, so that the whole works under any sub-path.
 * The session cookie goes along by itself.
 */

const apiBase = new URL('../v1/', document.baseURI);

export function apiUrl(path: string): string {
  return new URL(path, apiBase).href;
}

/** What is wrong with one member of the body; `field` is its path with dots: `prices.input`. */
export interface FieldProblem {
  readonly field: string;
  readonly detail: string;
}

/** An answer that is not 2xx, as RFC 9457 problem+json tells of it. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly requestId: string,
    readonly fields: readonly FieldProblem[] = [],
    /** How long the server asks to be left alone; 0 where it does not. */
    readonly retryAfterMs = 0,
  ) {
    super(detail);
  }

  /** Whether it came from the gateway itself, not from a proxy before it. */
  get isOurs(): boolean {
    return this.code !== '';
  }
}

/** There was no answer, or not all of it: the connection is lost, or the server is not there. */
export class NoAnswer extends Error {}

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  body?: unknown;
  idempotencyKey?: string;
  /** The ETag that was seen: 412 when it is not the newest any more. */
  ifMatch?: string;
  signal?: AbortSignal;
  /** Goes on when the page is left. */
  keepalive?: boolean;
}

type Listener = () => void;
const signedOutListeners = new Set<Listener>();

/** How often somebody signed in: a refusal of what was asked before says nothing of who is there now. */
let signIns = 0;

/** Called whenever a request is answered with 401 and nobody has signed in since it was made. */
export function onSignedOut(listener: Listener): void {
  signedOutListeners.add(listener);
}

export function noteSignIn(): void {
  signIns++;
}

/** What is to be told the status of the answer to a request that is made now. */
export function tellsSignedOut(): (status: number) => void {
  const asked = signIns;
  return (status) => {
    if (status === 401 && asked === signIns) for (const listener of signedOutListeners) listener();
  };
}

/** Throws `Problem` for an answer that is not 2xx, `NoAnswer` when there was none. */
export async function request<Answer>(path: string, options: RequestOptions = {}): Promise<Answer> {
  return (await requestTagged<Answer>(path, options)).body;
}

/** As `request`, with the answer's ETag. */
export async function requestTagged<Answer>(
  path: string, options: RequestOptions = {},
): Promise<{ body: Answer; etag: string }> {
  const headers = new Headers({ Accept: 'application/json' });
  const init: RequestInit = { method: options.method ?? 'GET', headers, cache: 'no-cache' };
  if (options.body !== undefined) {
    headers.set('Content-Type', 'application/json');
    init.body = JSON.stringify(options.body);
  }
  if (options.idempotencyKey !== undefined) headers.set('Idempotency-Key', options.idempotencyKey);
  if (options.ifMatch !== undefined) headers.set('If-Match', options.ifMatch);
  if (options.signal) init.signal = options.signal;
  if (options.keepalive) init.keepalive = true;
  const response = await fetchOk(path, init);
  const body = (response.status === 204 ? undefined : await answered(response.json())) as Answer;
  return { body, etag: response.headers.get('ETag') ?? '' };
}

/** The answer itself, where it is no JSON or what is sent is none. Throws as `request` does. */
export async function fetchOk(path: string, init: RequestInit): Promise<Response> {
  const tell = tellsSignedOut();
  const headers = new Headers(init.headers);
  const rests = positions();
  if (rests !== '') headers.set('Soma-Position', rests);
  const response = await answered(fetch(apiUrl(path), { ...init, headers }));
  notePosition(response.headers.get('Soma-Position'));
  if (response.ok) return response;
  tell(response.status);
  throw await problemOf(response);
}

/** The browser says of a lost connection only that it is a TypeError, as it says of our own faults. */
async function answered<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof TypeError ? new NoAnswer(error.message) : error;
  }
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    if (response.headers.get('Content-Type')?.includes('json')) body = await response.json();
  } catch {
    // A body cut short: the status alone has to do.
  }
  const { status, headers } = response;
  const seconds = Number(headers.get('Retry-After') ?? 0);
  return problemFrom(status, body, headers.get('X-Request-ID') ?? '', seconds > 0 ? 1_000 * seconds : 0);
}

export function problemFrom(
  status: number, body: Record<string, unknown>, requestId: string, retryAfterMs = 0,
): Problem {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return new Problem(
    status,
    text(body.code),
    text(body.detail) || text(body.title) || `The server answered ${status}.`,
    text(body.request_id) || requestId,
    fieldsOf(body),
    retryAfterMs,
  );
}

/** The members a problem+json names, in `field` or in `errors`, each once. */
export function fieldsOf(body: Record<string, unknown>): FieldProblem[] {
  const said = new Map<string, string>();
  const say = (pointer: unknown, detail: unknown) => {
    if (typeof pointer !== 'string') return;
    const field = pointer.split(/[/.]/).filter((step) => step !== '' && !/^\d+$/.test(step)).join('.');
    if (field !== '' && !said.has(field)) said.set(field, typeof detail === 'string' ? detail : '');
  };
  if (Array.isArray(body.errors)) for (const error of body.errors) say(error?.pointer, error?.detail);
  say(body.field, body.detail);
  // A validator names a member's parents, too, for the one fault.
  const fields = [...said.keys()];
  return fields
    .filter((field) => !fields.some((other) => other.startsWith(`${field}.`)))
    .map((field) => ({ field, detail: (said.get(field) ?? '').replace(`${field}: `, '') }));
}

/** One sentence for a reader, whatever went wrong. */
export function sentence(error: unknown): string {
  if (error instanceof Problem) return problemSentence(error);
  if (error instanceof NoAnswer) return t.unreachable;
  return asSentence(error instanceof Error ? error.message : String(error));
}

function problemSentence({ code, detail }: Problem): string {
  const own = t.problems[code];
  if (own === undefined) return asSentence(detail);
  // Only a denial says more than that it is one: which rule.
  return code === 'policy.denied' ? `${own} ${asSentence(detail)}` : own;
}

export function asSentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return t.somethingWrong;
  const capital = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
