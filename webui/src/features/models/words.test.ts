import { beforeAll, describe, expect, test } from 'vitest';
import type { UsageReport } from '../../kernel/api/types';
import { fakePage } from '../../testing/fake_page';

let words: typeof import('./words');

beforeAll(async () => {
  fakePage();
  words = await import('./words');
});

function report(today: Partial<UsageReport['today']>, caps: Partial<UsageReport['caps']> = {}) {
  return {
    today: { tokens: 0, cost_usd: 0, in_flight: 0, ...today },
    caps: { tokens_a_day: 0, cost_usd_a_day: 0, concurrent: 0, requests_a_minute: 0, ...caps },
  };
}

describe('today’s usage in a line', () => {
  test('without caps', () => {
    expect(words.usageLine(report({ tokens: 12345, cost_usd: 1.5, in_flight: 1 }))).toEqual({
      text: 'Today: 12,345 tokens, $1.50, one call running, no caps.', isNearCap: false,
    });
  });

  test('with caps, each at what it bounds', () => {
    const { text } = words.usageLine(report({ tokens: 10, cost_usd: 0.0021 }, {
      tokens_a_day: 1_000_000, cost_usd_a_day: 5, concurrent: 8, requests_a_minute: 60,
    }));
    expect(text).toBe('Today: 10 of 1,000,000 tokens, $0.0021 of $5.00, 0 of 8 calls running, ' +
      'at most 60 calls a minute.');
  });

  test('says when a cap is near', () => {
    expect(words.usageLine(report({ tokens: 89 }, { tokens_a_day: 100 })).isNearCap).toBe(false);
    expect(words.usageLine(report({ tokens: 90 }, { tokens_a_day: 100 })).isNearCap).toBe(true);
    expect(words.usageLine(report({ cost_usd: 6 }, { cost_usd_a_day: 5 })).isNearCap).toBe(true);
  });
});

describe('a test in a line', () => {
  test('that went well', () => {
    expect(words.testLine({ ok: true, latency_ms: 1587, first_token_ms: 2 }))
      .toBe('It works. First word after 2 ms, whole answer in 1.6 s.');
    expect(words.testLine({ ok: true, latency_ms: 90 })).toBe('It works. The whole answer in 90 ms.');
  });

  test('that did not: the server’s diagnosis, as sentences', () => {
    expect(words.testLine({
      ok: false, latency_ms: 1, diagnosis: 'It cannot be reached: check base_url. no route to host',
    })).toBe('It cannot be reached: check base_url. No route to host.');
    expect(words.testLine({ ok: false, latency_ms: 1 })).toBe('It does not work.');
  });
});

test('a key is told by its fingerprint and date, new or replaced', () => {
  const key = {
    provider: 'openai', fingerprint: '5a583e018bea6acd',
    created_at: '2026-11-25T12:00:00.000Z', updated_at: '2026-11-25T12:00:00.000Z',
  };
  expect(words.keyLine(key)).toBe('A key is stored: fingerprint 5a583e018bea, since 25 Nov 2026.');
  expect(words.keyLine({ ...key, updated_at: '2026-11-27T12:00:00.000Z' }))
    .toBe('A key is stored: fingerprint 5a583e018bea, replaced 27 Nov 2026.');
});
