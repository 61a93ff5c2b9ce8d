import { NoAnswer, Problem } from '../../kernel/api/http';
import { backoff } from '../../kernel/api/backoff';

/** Refusals that say "later", and nothing of what was asked for. */
const laterCodes = new Set(['attachment.pending', 'server.busy', 'server.starting', 'server.shutting_down']);

export function isLater(error: unknown): boolean {
  if (error instanceof NoAnswer) return true;
  return error instanceof Problem && (laterCodes.has(error.code) || (error.status === 429 && error.retryAfterMs > 0));
}

/** The break that the server asks for after so many failures, or a usual one; ends early with `signal`. */
export function pauseAfter(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
  const asked = error instanceof Problem ? error.retryAfterMs : 0;
  return new Promise((done) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      done();
    };
    const timer = setTimeout(finish, Math.max(asked, backoff(failures)));
    signal.addEventListener('abort', finish);
  });
}
