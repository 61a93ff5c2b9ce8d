import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeEventSource, fakePage } from '../../testing/fake_page';
import type { LinkState } from './link_state';
import { LiveStream } from './live_stream';

let window: EventTarget;
let states: LinkState['is'][];
let events: unknown[];
let again: boolean;
let after: string;

function open(): LiveStream {
  return new LiveStream({
    url: () => `/events?after=${after}`,
    types: ['llm.delta', 'error'],
    onEvent: (type, data) => events.push([type, JSON.parse(data)]),
    onState: (state) => states.push(state.is),
    onRefused: async () => again,
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  window = fakePage().window;
  vi.stubGlobal('EventSource', FakeEventSource);
  FakeEventSource.all = [];
  states = [];
  events = [];
  again = true;
  after = 'start';
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('live stream', () => {
  test('says how it is connected', () => {
    open();
    FakeEventSource.last.open();
    FakeEventSource.last.lose();
    vi.advanceTimersByTime(1_000);
    FakeEventSource.last.open();
    expect(states).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
    expect(FakeEventSource.all).toHaveLength(2);
  });

  test('tells a server’s error event from a lost connection', () => {
    open();
    FakeEventSource.last.open();
    FakeEventSource.last.send('error', { payload: { code: 'x' } });
    expect(events).toEqual([['error', { payload: { code: 'x' } }]]);
    expect(states.at(-1)).toBe('connected');
  });

  test('opens anew from the last position when the server gave an answer that is not a stream', async () => {
    open();
    FakeEventSource.last.open();
    after = '3.42';
    FakeEventSource.last.refuse();
    expect(states.at(-1)).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(FakeEventSource.all).toHaveLength(2);
    expect(FakeEventSource.last.url).toBe('/events?after=3.42');
  });

  test('waits longer each time, but not for ever', async () => {
    open();
    for (let i = 0; i < 12; i++) {
      FakeEventSource.last.refuse();
      await vi.advanceTimersByTimeAsync(8_000);
    }
    expect(FakeEventSource.all).toHaveLength(13);
    FakeEventSource.last.refuse();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(FakeEventSource.all).toHaveLength(13);
  });

  test('says when the next try is', () => {
    const times: number[] = [];
    new LiveStream({
      url: () => '/events', types: [], onEvent: () => {}, onRefused: async () => true,
      onState: (state) => state.is === 'reconnecting' && times.push(state.at - Date.now()),
    });
    FakeEventSource.last.lose();
    vi.advanceTimersByTime((times[0] as number) - 1);
    expect(FakeEventSource.all).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(FakeEventSource.all).toHaveLength(2);
  });

  test('after a connection that held, the first pause is a short one again', async () => {
    open();
    for (let i = 0; i < 8; i++) {
      FakeEventSource.last.lose();
      await vi.advanceTimersByTimeAsync(8_000);
    }
    FakeEventSource.last.open();
    const before = FakeEventSource.all.length;
    FakeEventSource.last.lose();
    await vi.advanceTimersByTimeAsync(500);
    expect(FakeEventSource.all).toHaveLength(before + 1);
  });

  test('stays closed where there is nothing to read any more', async () => {
    again = false;
    open();
    FakeEventSource.last.refuse();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeEventSource.all).toHaveLength(1);
  });

  test('takes silence for a dead connection, and a heartbeat for a live one', async () => {
    open();
    FakeEventSource.last.open();
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(15_000);
      FakeEventSource.last.send('heartbeat', {});
    }
    expect(FakeEventSource.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(47_000);
    expect(FakeEventSource.all).toHaveLength(2);
  });

  test('hears nothing from a connection it gave up', () => {
    const stream = open();
    const first = FakeEventSource.last;
    first.open();
    stream.reopen();
    first.send('llm.delta', {});
    first.lose();
    expect(events).toEqual([]);
    FakeEventSource.last.open();
    expect(states.at(-1)).toBe('connected');
  });

  test('follows what the browser knows of the network', () => {
    open();
    FakeEventSource.last.open();
    window.dispatchEvent(new Event('offline'));
    expect(states.at(-1)).toBe('offline');
    window.dispatchEvent(new Event('online'));
    FakeEventSource.last.open();
    expect(states.at(-1)).toBe('connected');
    expect(FakeEventSource.all).toHaveLength(2);
  });
});
