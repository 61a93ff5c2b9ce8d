import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fakePage } from '../testing/fake_page';

type Outbox = typeof import('./outbox');
type Answer = () => Promise<Response>;

interface Sent {
  key: string | null;
  body: Record<string, unknown>;
}

let store: Map<string, string>;
let window: EventTarget;
let sent: Sent[];
let answers: Answer[];

const accepted = (session_id: string): Answer => async () =>
  Response.json({ session_id, message_id: 'm', event_id: '1.1', envelope_id: 'e' }, { status: 202 });
const lost: Answer = () => Promise.reject(new TypeError('network'));
const problem = (status: number, code: string): Answer => async () =>
  new Response(JSON.stringify({ code, detail: 'the queue is full', request_id: 'r1' }), {
    status, headers: { 'Content-Type': 'application/problem+json' },
  });
const proxy = (status: number): Answer => async () => new Response('<html>', { status });

/** Settles what is under way without letting time pass. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function load(): Promise<Outbox> {
  vi.resetModules();
  return import('./outbox');
}

beforeEach(() => {
  vi.useFakeTimers();
  ({ store, window } = fakePage());
  sent = [];
  answers = [];
  vi.stubGlobal('fetch', async (_url: string, init: RequestInit) => {
    const headers = init.headers as Headers;
    sent.push({ key: headers.get('Idempotency-Key'), body: JSON.parse(init.body as string) });
    const answer = answers.shift();
    return answer ? answer() : new Promise(() => {});
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('outbox', () => {
  test('a message is sent with its key, and then waits for its event', async () => {
    const box = await load();
    answers = [accepted('s')];
    box.send('s', 'hi');
    await settle();
    expect(sent[0]?.body).toEqual({ session_id: 's', message: 'hi' });
    expect(sent[0]?.key).toBe(box.outbox.value[0]?.key);
    expect(box.outbox.value[0]?.phase).toBe('accepted');
    expect(store.size).toBe(0);
  });

  test('the same key goes out again until there is an answer', async () => {
    const box = await load();
    answers = [lost, proxy(502), lost, accepted('s')];
    box.send('s', 'hi');
    await settle();
    expect(box.outbox.value[0]?.phase).toBe('waiting');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(sent).toHaveLength(4);
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
    expect(box.outbox.value[0]?.phase).toBe('accepted');
  });

  test('the network coming back ends the wait', async () => {
    const box = await load();
    answers = [lost, accepted('s')];
    box.send('s', 'hi');
    await settle();
    window.dispatchEvent(new Event('online'));
    await settle();
    expect(box.outbox.value[0]?.phase).toBe('accepted');
  });

  test('messages of one chat keep their order', async () => {
    const box = await load();
    answers = [lost, accepted('s'), accepted('s')];
    box.send('s', 'one');
    box.send('s', 'two');
    await settle();
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sent.map(({ body }) => body.message)).toEqual(['one', 'one', 'two']);
  });

  test('a refusal is told, holds up nobody, and can be tried again', async () => {
    const box = await load();
    answers = [problem(429, 'session.queue_full'), accepted('s'), accepted('s')];
    box.send('s', 'one');
    box.send('s', 'two');
    await settle();
    expect(box.outbox.value[0]).toMatchObject({
      phase: 'refused', problem: 'Too many messages are waiting in this chat already.', requestId: 'r1', status: 429,
    });
    expect(box.outbox.value[1]?.phase).toBe('accepted');
    box.sendAgain(sent[0]?.key ?? '');
    await settle();
    expect(box.outbox.value[0]?.phase).toBe('accepted');
    expect(sent[2]?.key).toBe(sent[0]?.key);
  });

  test('a dependency that is down is the server’s answer, not a lost connection', async () => {
    const box = await load();
    answers = [problem(503, 'dependency.unavailable')];
    box.send('s', 'hi');
    await settle();
    expect(box.outbox.value[0]?.phase).toBe('refused');
  });

  test('what a signed-out reader wrote goes out after signing in', async () => {
    const box = await load();
    answers = [problem(401, 'auth.required'), accepted('s')];
    box.send('s', 'hi');
    await settle();
    box.sendRefusedAgain();
    await settle();
    expect(box.outbox.value[0]?.phase).toBe('accepted');
  });

  test('a new chat learns its session from the first answer', async () => {
    const box = await load();
    const made: string[] = [];
    box.startOutbox((_, id) => made.push(id));
    answers = [accepted('new')];
    box.send(null, 'hi');
    await settle();
    expect(sent[0]?.body).toEqual({ message: 'hi' });
    expect(made).toEqual(['new']);
  });

  test('a reload goes on with what was not answered, under the same key', async () => {
    const before = await load();
    before.send('s', 'hi'); // no answer ever
    await settle();
    const after = await load();
    answers = [accepted('s')];
    after.startOutbox(() => {});
    await settle();
    expect(after.outbox.value[0]?.phase).toBe('accepted');
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
  });
});
