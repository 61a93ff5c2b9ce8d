// Sessions that a test needs and that nobody has to talk into being.
import { createHash, randomUUID } from 'node:crypto';

/** Makes `count` empty sessions named `Session 1`, the oldest, to the newest; between in any order. */
export async function makeSessions(server, count, atOnce = 64) {
  const make = (n) => server.api('sessions', { method: 'POST', body: { title: `Session ${n}` } });
  await make(1);
  for (let done = 1; done < count - 1; done += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - 1 - done) }, (_, i) => done + i + 1);
    await Promise.all(some.map(make));
  }
  if (count > 1) await make(count);
}

/** Imports a session of `turns` questions, each with its answer; answers its id. */
export async function importSession(server, turns, { title = 'A long talk', answer } = {}) {
  const session_id = randomUUID();
  const events = [];
  const add = (type, payload, idempotency_key) => events.push({
    version: 'v1',
    meta: {
      event_id: `1.${events.length + 1}`, tenant_id: 'default', user_id: 'admin', session_id,
      created_at: new Date(1_700_000_000_000 + events.length * 1000).toISOString(),
      ...(idempotency_key ? { idempotency_key } : {}),
    },
    type, payload,
  });
  add('session.open', { persona_id: '', title });
  for (let i = 1; i <= turns; i++) {
    const turn_id = randomUUID();
    const message_id = randomUUID();
    const invocation_id = randomUUID();
    const text = answer?.(i) ?? `Answer ${i}: **yes**, and \`code\` too.\n\n- one\n- two`;
    add('message.user', { message_id: turn_id, turn_id, text: `Question ${i}?`, attachments: [] });
    add('llm.request', {
      invocation_id, message_id, turn_id, profile: 'default', model: 'rehearsal', provider: 'x',
      attempt: 1, step: 1, persona_version: '', context: { turns: 1 }, prompt_tokens_estimate: 9,
    });
    add('message.assistant', { message_id, turn_id, text, tool_calls: [], final: true });
    add('llm.complete', {
      invocation_id, message_id, turn_id, finish_reason: 'stop',
      usage: { prompt_tokens: 9, completion_tokens: 9 }, latency_ms: 10, first_token_ms: 5,
    });
  }
  return importEvents(server, { session_id, title, persona_id: '' }, events);
}

export async function importEvents(server, session, events) {
  const lines = [{ soma_export: 'v1', session, events: events.length }, ...events];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const sha256 = createHash('sha256').update(text).digest('hex');
  const answer = await fetch(`${server.origin}/v1/sessions/import`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${server.adminKey}`, 'Content-Type': 'application/x-ndjson',
    },
    body: text + `${JSON.stringify({ end: true, events: events.length, sha256 })}\n`,
  });
  if (!answer.ok) throw new Error(`import: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).session_id;
}
