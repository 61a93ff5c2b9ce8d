import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { changeElsewhere, FakeLocks, fakePage } from '../testing/fake_page';

type Outbox = import('./outbox').Outbox;
type Answer = () => Promise<Response>;

interface Sent {
  key: string | null;
  body: Record<string, unknown>;
}

let page: ReturnType<typeof fakePage>;
let store: Map<string, string>;
let window: EventTarget;
let locks: FakeLocks;
let sent: Sent[];
let answers: Answer[];

const accepted = (session_id: string): Answer => async () =>
  Response.json({ session_id, message_id: 'm', event_id: '1.1', envelope_id: 'e' }, { status: 202 });
const lost: Answer = () => Promise.reject(new TypeError('network'));
const problem = (status: number, code: string, retryAfter = ''): Answer => async () =>
  new Response(JSON.stringify({ code, detail: 'the queue is full', request_id: 'r1' }), {
    status,
    headers: {
      'Content-Type': 'application/problem+json', ...(retryAfter ? { 'Retry-After': retryAfter } : {}),
    },
  });
const proxy = (status: number): Answer => async () => new Response('<html>', { status });

/** Settles what is under way without letting time pass. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** A life of the page: `who` is signed in in this browser. */
async function load(who = 'a'): Promise<Outbox> {
  vi.resetModules();
  const { tellSignedIn } = await import('./person');
  tellSignedIn(`t/${who}`, false);
  return open(who);
}

async function open(who = 'a'): Promise<Outbox> {
  const [{ Outbox: Box }, { Workspace }] = await Promise.all([import('./outbox'), import('./workspace')]);
  return new Workspace({ tenant_id: 't', user_id: who, role: 'user' }).of(Box);
}

const kept = () => [...store.keys()].filter((name) => name.startsWith('soma.outbox'));

beforeEach(() => {
  vi.useFakeTimers();
  page = fakePage();
  ({ store, window } = page);
  locks = new FakeLocks();
  vi.stubGlobal('navigator', { onLine: true, locks });
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
    expect(sent[0]?.key).toBe(box.entries.value[0]?.key);
    expect(box.entries.value[0]?.phase).toBe('accepted');
    expect(kept()).toEqual([]);
  });

  test('what is written while somebody signs in goes out when that is over', async () => {
    const box = await load();
    const { beginEntering, tellSignedIn } = await import('./person');
    answers = [accepted('s'), accepted('s')];
    const takeBack = beginEntering();
    box.send('s', 'one');
    await settle();
    expect(sent).toHaveLength(0);
    takeBack();
    await settle();
    expect(sent).toHaveLength(1);
    beginEntering();
    box.send('s', 'two');
    tellSignedIn('t/a', false);
    await settle();
    expect(sent.map(({ body }) => body['message'])).toEqual(['one', 'two']);
  });

  test('the same key goes out again until there is an answer', async () => {
    const box = await load();
    answers = [lost, proxy(502), lost, accepted('s')];
    box.send('s', 'hi');
    await settle();
    expect(box.entries.value[0]?.phase).toBe('waiting');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(sent).toHaveLength(4);
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
    expect(box.entries.value[0]?.phase).toBe('accepted');
  });

  test('the network coming back ends the wait', async () => {
    const box = await load();
    answers = [lost, accepted('s')];
    box.send('s', 'hi');
    await settle();
    window.dispatchEvent(new Event('online'));
    await settle();
    expect(box.entries.value[0]?.phase).toBe('accepted');
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
    expect(box.entries.value[0]).toMatchObject({
      phase: 'refused', problem: 'Too many messages are waiting in this chat already.', requestId: 'r1', status: 429,
    });
    expect(box.entries.value[1]?.phase).toBe('accepted');
    box.sendAgain(sent[0]?.key ?? '');
    await settle();
    expect(box.entries.value[0]?.phase).toBe('accepted');
    expect(sent[2]?.key).toBe(sent[0]?.key);
  });

  test('a dependency that is down is the server’s answer, not a lost connection', async () => {
    const box = await load();
    answers = [problem(503, 'dependency.unavailable')];
    box.send('s', 'hi');
    await settle();
    expect(box.entries.value[0]?.phase).toBe('refused');
  });

  test.each(['server.shutting_down', 'server.starting', 'server.busy', 'session.head_mismatch',
    'cluster.not_owner', 'cluster.owner_lost', 'cluster.timeout'])(
    'a server that says %s is asked again, under the same key', async (code) => {
      const box = await load();
      answers = [problem(503, code), problem(503, code), accepted('s')];
      box.send('s', 'hi');
      await settle();
      expect(box.entries.value[0]?.phase).toBe('waiting');
      await vi.advanceTimersByTimeAsync(20_000);
      expect(box.entries.value[0]?.phase).toBe('accepted');
      expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
    });

  test('a break that the server asks for is kept', async () => {
    const box = await load();
    answers = [problem(503, 'server.busy', '30'), accepted('s')];
    box.send('s', 'hi');
    await vi.advanceTimersByTimeAsync(29_000);
    expect(sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(box.entries.value[0]?.phase).toBe('accepted');
  });

  test('a fault of the page itself is told, not tried for ever', async () => {
    const box = await load();
    answers = [async () => Response.json(null, { status: 202 })];
    box.send('s', 'hi');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(1);
    expect(box.entries.value[0]?.phase).toBe('refused');
  });

  test('what a signed-out reader wrote goes out after signing in', async () => {
    const box = await load();
    answers = [problem(401, 'auth.required'), accepted('s')];
    box.send('s', 'hi');
    await settle();
    box.sendRefusedAgain();
    await settle();
    expect(box.entries.value[0]?.phase).toBe('accepted');
  });

  test('what one person wrote is never sent as another, in this tab or the next', async () => {
    const box = await load('a');
    answers = [problem(401, 'auth.required')];
    box.send('s', 'of a');
    await settle();
    // B signs in, in a tab of their own; this one has not begun anew yet.
    changeElsewhere(page, 'soma.person', 't/b');
    box.sendRefusedAgain();
    box.sendAgain(box.entries.value[0]?.key ?? '');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(1);

    locks.letGoAll();
    const ofB = await load('b');
    ofB.sendRefusedAgain();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ofB.entries.value).toEqual([]);
    expect(sent).toHaveLength(1);

    locks.letGoAll();
    answers = [accepted('s')];
    const again = await load('a');
    await settle();
    expect(again.entries.value.map(({ text, phase }) => `${text}: ${phase}`)).toEqual(['of a: accepted']);
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
  });

  test('a message that waits while somebody else signs in does not go out as them', async () => {
    const box = await load('a');
    answers = [lost];
    box.send('s', 'of a');
    await settle();
    changeElsewhere(page, 'soma.person', `?${Date.now()}`);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(1);
  });

  test('signing out takes along what the other tabs would send', async () => {
    const box = await load();
    answers = [lost];
    box.send('s', 'one');
    await settle();
    for (const name of kept()) changeElsewhere(page, name, null);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(box.entries.value).toEqual([]);
    expect(sent).toHaveLength(1);
  });

  test('a tab sends what a closed one left, in its order, and leaves a living one alone', async () => {
    const closed = await load();
    answers = [lost];
    closed.send('s', 'one');
    closed.send('s', 'two');
    await settle();
    // The closed tab's script is still here, so it must find nobody signed in from now on.
    const other = await load();
    await settle();
    expect(other.entries.value).toEqual([]);
    closed.entries.value = [];
    answers = [accepted('s'), accepted('s')];
    locks.letGoAll();
    await settle();
    expect(other.entries.value.map(({ text, phase }) => `${text}: ${phase}`)).toEqual(['one: accepted', 'two: accepted']);
    expect(sent.map(({ body }) => body.message)).toEqual(['one', 'one', 'two']);
    expect(kept()).toEqual([]);
  });

  test('a browser without room loses nothing that the page can still send', async () => {
    const box = await load();
    vi.spyOn(localStorage, 'setItem').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError');
    });
    answers = [lost, accepted('s')];
    box.send('s', 'hi');
    await settle();
    expect(box.entries.value[0]).toMatchObject({ phase: 'waiting', unkept: true });
    expect(box.hasUnkept()).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(box.entries.value[0]?.phase).toBe('accepted');
    expect(box.hasUnkept()).toBe(false);
  });

  test('a new chat learns its session from the first answer', async () => {
    const box = await load();
    const { selected } = await import('./route');
    answers = [accepted('new')];
    box.send(null, 'hi');
    await settle();
    expect(sent[0]?.body).toEqual({ message: 'hi' });
    expect(selected.value).toBe('new');
  });

  test('a reload goes on with what was not answered, under the same key', async () => {
    const before = await load();
    before.send('s', 'hi'); // no answer ever
    await settle();
    locks.letGoAll();
    answers = [accepted('s')];
    const after = await load();
    await settle();
    expect(after.entries.value[0]?.phase).toBe('accepted');
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
  });

  test('a workspace that ended sends nothing more; whoever comes next of the same person does', async () => {
    const [{ Outbox: Box }, { Workspace }] = await Promise.all([import('./outbox'), import('./workspace')]);
    const own = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
    const box = own.of(Box);
    answers = [lost];
    box.send('s', 'hi');
    await settle();
    own.dispose();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(1);
    answers = [accepted('s')];
    const next = await open();
    await settle();
    expect(next.entries.value.map(({ phase }) => phase)).toEqual(['accepted']);
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
  });
});
