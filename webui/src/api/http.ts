/**
 * Requests to the gateway, relative to the page, so that the whole works under any sub-path.
 * The session cookie goes along by itself.
 */

const apiBase = new URL('../v1/', document.baseURI);

export function apiUrl(path: string): string {
  return new URL(path, apiBase).href;
}

/** An answer that is not 2xx, as RFC 9457 problem+json tells of it. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly requestId: string,
  ) {
    super(detail);
  }

  /** Whether it came from the gateway itself, not from a proxy before it. */
  get isOurs(): boolean {
    return this.code !== '';
  }
}

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  body?: unknown;
  idempotencyKey?: string;
}

type Listener = () => void;
const signedOutListeners = new Set<Listener>();

/** Called whenever any request is answered with 401. */
export function onSignedOut(listener: Listener): void {
  signedOutListeners.add(listener);
}

/** Throws `Problem` for an answer that is not 2xx, `TypeError` when there was no answer. */
export async function request<Answer>(path: string, options: RequestOptions = {}): Promise<Answer> {
  const headers = new Headers({ Accept: 'application/json' });
  const init: RequestInit = { method: options.method ?? 'GET', headers, cache: 'no-cache' };
  if (options.body !== undefined) {
    headers.set('Content-Type', 'application/json');
    init.body = JSON.stringify(options.body);
  }
  if (options.idempotencyKey !== undefined) headers.set('Idempotency-Key', options.idempotencyKey);
  const response = await fetch(apiUrl(path), init);
  if (!response.ok) {
    if (response.status === 401) for (const listener of signedOutListeners) listener();
    throw await problemOf(response);
  }
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    if (response.headers.get('Content-Type')?.includes('json')) body = await response.json();
  } catch {
    // A body cut short: the status alone has to do.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  return new Problem(
    response.status,
    text(body.code),
    text(body.detail) || text(body.title) || `The server answered ${response.status}.`,
    text(body.request_id) || response.headers.get('X-Request-ID') || '',
  );
}

/** One sentence for a reader, whatever went wrong. */
export function sentence(error: unknown): string {
  if (error instanceof Problem) return asSentence(error.detail);
  if (error instanceof TypeError) return 'The server cannot be reached.';
  return asSentence(error instanceof Error ? error.message : String(error));
}

export function asSentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return 'Something went wrong.';
  const capital = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
