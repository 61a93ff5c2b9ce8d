import { webcrypto } from 'node:crypto';
import { vi } from 'vitest';

/** What a module needs of a page to be tested without one. */
export function fakePage(): { store: Map<string, string>; window: EventTarget } {
  const store = new Map<string, string>();
  const window = new EventTarget();
  vi.stubGlobal('window', window);
  vi.stubGlobal('document', Object.assign(new EventTarget(), {
    baseURI: 'http://soma.test/sub/ui/index.html', visibilityState: 'visible',
  }));
  vi.stubGlobal('crypto', webcrypto); // Node 18 has none by itself
  vi.stubGlobal('navigator', { onLine: true });
  vi.stubGlobal('location', { pathname: '/ui/', search: '', hash: '' });
  vi.stubGlobal('history', { replaceState: () => {}, pushState: () => {} });
  vi.stubGlobal('localStorage', storageIn(store));
  for (const name of ['addEventListener', 'removeEventListener'] as const) {
    vi.stubGlobal(name, window[name].bind(window));
  }
  vi.stubGlobal('sessionStorage', storageIn(new Map()));
  return { store, window };
}

function storageIn(store: Map<string, string>) {
  return {
    get length() {
      return store.size;
    },
    key: (at: number) => [...store.keys()][at] ?? null,
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => void store.set(key, value),
    removeItem: (key: string) => void store.delete(key),
  };
}

/** Another tab of the same browser changed what is kept. */
export function changeElsewhere(
  { store, window }: ReturnType<typeof fakePage>, key: string, newValue: string | null,
): void {
  if (newValue === null) store.delete(key);
  else store.set(key, newValue);
  window.dispatchEvent(Object.assign(new Event('storage'), { key, newValue }));
}

/** Web Locks among the modules that a test loads: a tab is closed by letting its locks go. */
export class FakeLocks {
  private readonly held = new Map<string, (() => void)[]>();

  request(name: string, work: () => unknown): Promise<unknown> {
    const run = () => {
      this.held.set(name, this.held.get(name) ?? []);
      return Promise.resolve(work()).finally(() => this.letGo(name));
    };
    const waiting = this.held.get(name);
    if (!waiting) return run();
    return new Promise((done) => waiting.push(() => void run().then(done)));
  }

  /** As when the tab that holds them is closed. */
  letGoAll(): void {
    for (const name of [...this.held.keys()]) this.letGo(name);
  }

  private letGo(name: string): void {
    const waiting = this.held.get(name) ?? [];
    this.held.delete(name);
    const next = waiting.shift();
    if (!next) return;
    this.held.set(name, waiting);
    next();
  }
}

/** EventSource whose answers the test gives. */
export class FakeEventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static all: FakeEventSource[] = [];
  readyState = FakeEventSource.CONNECTING;
  onopen: (() => void) | null = null;
  onerror: ((event: Event) => void) | null = null;

  constructor(readonly url: string) {
    super();
    FakeEventSource.all.push(this);
    this.addEventListener('error', (event) => this.onerror?.(event));
  }

  static get last(): FakeEventSource {
    return FakeEventSource.all.at(-1) as FakeEventSource;
  }

  open(): void {
    this.readyState = FakeEventSource.OPEN;
    this.onopen?.();
  }

  send(type: string, data: unknown, lastEventId = ''): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId }));
  }

  /** The connection is lost; the browser would try again by itself. */
  lose(): void {
    this.readyState = FakeEventSource.CONNECTING;
    this.dispatchEvent(new Event('error'));
  }

  /** An answer other than 200: EventSource gives up. */
  refuse(): void {
    this.readyState = FakeEventSource.CLOSED;
    this.dispatchEvent(new Event('error'));
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED;
  }
}
