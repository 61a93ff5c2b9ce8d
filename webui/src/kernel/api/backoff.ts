const firstMs = 400;
const mostMs = 8_000;

/** How long to wait before try number `failures` + 1, jittered so that many pages do not agree. */
export function backoff(failures: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** failures);
  return full / 2 + Math.random() * (full / 2);
}

/** Waits, but no longer than until the browser says that the network is back. */
export function pause(ms: number): Promise<void> {
  return new Promise((done) => {
    const finish = () => {
      clearTimeout(timer);
      window.removeEventListener('online', finish);
      done();
    };
    const timer = setTimeout(finish, ms);
    window.addEventListener('online', finish);
  });
}
