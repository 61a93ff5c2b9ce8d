// Clients that are not the page: EventSource as the browser has it, and the `eventsource` package.
// Neither knows of anything but ids; both must see every event once, whatever happens to the server.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { EventSource } from 'eventsource';
import { Reader } from './browser.mjs';
import { askFor, numbered } from './rehearsal.mjs';
import { until } from './wait.mjs';

const types = [
  'session.open', 'message.user', 'llm.request', 'llm.delta', 'llm.complete', 'llm.restart',
  'message.assistant', 'session.state', 'memory.recall', 'memory.write',
];

async function begin(server, text) {
  return server.api('session/message', {
    method: 'POST',
    headers: { 'Idempotency-Key': randomUUID() },
    body: { message: askFor(text, { delayMs: 20 }) },
  });
}

/** `events` are [id, envelope]; every seq is there once, and the deltas make the whole text. */
function assertWhole(events, text) {
  const seqs = events.map(([id]) => Number(id.split('.')[1]));
  assert.deepEqual(seqs, seqs.map((_, i) => i + 1), 'a gap or a repeat');
  let bytes = Buffer.alloc(0);
  for (const [, { type, payload }] of events) {
    if (type !== 'llm.delta' || payload.text === undefined) continue;
    bytes = Buffer.concat([bytes.subarray(0, payload.offset), Buffer.from(payload.text)]);
  }
  assert.equal(bytes.toString(), text);
}

const isFinal = ([, { type, payload }]) => type === 'message.assistant' && payload.final;
const isEnd = ([, { type }]) => type === 'llm.complete';
const finished = (events) => events.some(isFinal) && isEnd(events.at(-1));

export const streamTests = [
  {
    name: 'streams: the browser’s own EventSource resumes through a restart',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const text = numbered(250);
      const { session_id } = await begin(server, text);
      const page = await reader.context.newPage();
      await page.goto(`${server.origin}/ui/favicon.svg`); // the origin, without the page's script
      await page.evaluate(({ url, types }) => {
        globalThis.seen = [];
        const source = new EventSource(url);
        for (const type of types) {
          source.addEventListener(type, (event) => {
            globalThis.seen.push([event.lastEventId, JSON.parse(event.data)]);
          });
        }
      }, { url: `/v1/session/${session_id}/events?after=start`, types });
      const seen = () => page.evaluate(() => globalThis.seen);
      await until('the answer has begun', async () => (await seen()).length > 30);
      await server.kill();
      await server.start();
      await until('the answer has ended', async () => finished(await seen()), 60_000);
      assertWhole(await seen(), text);
    },
  },
  {
    name: 'streams: the eventsource package resumes through a restart',
    async run({ server }) {
      const text = numbered(250);
      const { session_id } = await begin(server, text);
      const seen = [];
      const source = new EventSource(`${server.origin}/v1/session/${session_id}/events`, {
        fetch: (url, init) => fetch(url, {
          ...init, headers: { ...init.headers, Authorization: `Bearer ${server.adminKey}` },
        }),
      });
      try {
        for (const type of types) {
          source.addEventListener(type, (event) => {
            seen.push([event.lastEventId, JSON.parse(event.data)]);
          });
        }
        await until('the answer has begun', () => seen.length > 30);
        await server.kill();
        await server.start();
        await until('the answer has ended', () => finished(seen), 60_000);
        assertWhole(seen, text);
      } finally {
        source.close();
      }
    },
  },
];
