import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeEventSource, fakePage } from '../../testing/fake_page';
import { StreamHub } from './hub';
import type { FromHub } from './messages';

class Page {
  readonly heard: FromHub[] = [];
  postMessage(message: FromHub): void {
    this.heard.push(message);
  }
  get events(): unknown[] {
    return this.heard.filter((m) => m.tells === 'event').map((m) => JSON.parse(m.data));
  }
  get last(): FromHub | undefined {
    return this.heard.at(-1);
  }
}

let hub: StreamHub;

const join = (page: Page, channel: string, after: string | null = 'start') =>
  hub.take(page, { ask: 'join', channel, url: `http://soma.test/${channel}`, types: ['x', 'stream.reset'], after });
const open = () => FakeEventSource.all.filter((source) => source.readyState !== FakeEventSource.CLOSED);

beforeEach(() => {
  vi.useFakeTimers();
  fakePage();
  vi.stubGlobal('EventSource', FakeEventSource);
  FakeEventSource.all = [];
  hub = new StreamHub();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('stream hub', () => {
  test('two pages share a stream, and the last to leave closes it', () => {
    const [a, b] = [new Page(), new Page()];
    join(a, 's1');
    join(b, 's1');
    expect(open()).toHaveLength(1);
    FakeEventSource.last.send('x', { n: 1 }, '1.1');
    expect(a.events).toEqual([{ n: 1 }]);
    expect(b.events).toEqual([{ n: 1 }]);
    hub.take(a, { ask: 'leave', channel: 's1' });
    expect(open()).toHaveLength(1);
    hub.take(b, { ask: 'bye' });
    expect(open()).toHaveLength(0);
  });

  test('who joins late is told what the stream had come to', () => {
    const [a, b] = [new Page(), new Page()];
    join(a, 's1', '1.4');
    FakeEventSource.last.send('x', {}, '1.7');
    join(b, 's1', '1.5');
    expect(b.heard[0]).toEqual({ tells: 'joined', channel: 's1', at: '1.7' });
  });

  test('a lost stream goes on behind the last event, and behind a reset where that led', () => {
    const page = new Page();
    join(page, 's1', '1.4');
    FakeEventSource.last.send('x', {}, '1.9');
    FakeEventSource.last.lose();
    vi.advanceTimersByTime(1_000);
    expect(new URL(FakeEventSource.last.url).searchParams.get('after')).toBe('1.9');
    FakeEventSource.last.send('stream.reset', { from: '1.6' }, '1.6');
    FakeEventSource.last.lose();
    vi.advanceTimersByTime(2_000);
    expect(new URL(FakeEventSource.last.url).searchParams.get('after')).toBe('1.6');
    FakeEventSource.last.send('stream.reset', {});
    FakeEventSource.last.lose();
    vi.advanceTimersByTime(4_000);
    expect(new URL(FakeEventSource.last.url).searchParams.get('after')).toBe('start');
  });

  test('no more than four streams: the session used longest ago is parked, never the tenant', () => {
    const pages = [0, 1, 2, 3, 4].map(() => new Page());
    join(pages[0] as Page, '@me', null);
    join(pages[1] as Page, 's1');
    join(pages[2] as Page, 's2');
    join(pages[3] as Page, 's3');
    hub.take(pages[1] as Page, { ask: 'touch', channel: 's1' });
    join(pages[4] as Page, 's4');
    expect(open()).toHaveLength(4);
    expect(pages[2]?.last).toEqual({ tells: 'state', channel: 's2', state: { is: 'parked' } });
    expect(open().map(({ url }) => new URL(url).pathname)).toEqual(['/@me', '/s1', '/s3', '/s4']);
  });

  test('a page that fell silent is dropped, and told so when it speaks again', () => {
    const page = new Page();
    join(page, 's1');
    vi.advanceTimersByTime(300_000);
    expect(open()).toHaveLength(0);
    hub.take(page, { ask: 'alive' });
    expect(page.last).toEqual({ tells: 'forgotten' });
  });

  test('a page that says it lives is kept', () => {
    const page = new Page();
    join(page, 's1');
    for (let i = 0; i < 20; i++) {
      vi.advanceTimersByTime(30_000);
      hub.take(page, { ask: 'alive' });
    }
    expect(open()).toHaveLength(1);
  });

  test('a refusal that is asked about ends nothing that was joined anew meanwhile', async () => {
    const page = new Page();
    let answer: (response: Response) => void = () => {};
    vi.stubGlobal('fetch', () => new Promise((done) => (answer = done)));
    join(page, 's1');
    FakeEventSource.last.refuse();
    hub.take(page, { ask: 'leave', channel: 's1' });
    join(page, 's1');
    answer(new Response(JSON.stringify({ code: 'session.not_found' }), { status: 404 }));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(page.heard.filter((m) => m.tells === 'refused')).toEqual([]);
    expect(open()).toHaveLength(1);
    hub.take(page, { ask: 'leave', channel: 's1' });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(open()).toHaveLength(0);
  });

  test('a stream refused for good ends, one refused for a while does not', async () => {
    const page = new Page();
    let status = 503;
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ code: 'session.not_found' }), { status }));
    join(page, 's1');
    FakeEventSource.last.refuse();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(open()).toHaveLength(1);
    status = 404;
    FakeEventSource.last.refuse();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(open()).toHaveLength(0);
    expect(page.last).toEqual({ tells: 'refused', channel: 's1', status: 404, code: 'session.not_found' });
  });

  test('signing out ends every stream', () => {
    const page = new Page();
    join(page, '@me', null);
    join(page, 's1');
    hub.take(page, { ask: 'signed_out' });
    expect(open()).toHaveLength(0);
    expect(page.last).toMatchObject({ tells: 'refused', status: 401 });
  });
});
