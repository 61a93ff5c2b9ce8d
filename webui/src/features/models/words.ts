import { asSentence } from '../../kernel/api/http';
import type { Credential, ModelTest, UsageReport } from '../../kernel/api/types';
import { language } from '../../kernel/texts/language';
import { texts } from './texts';

/** From this share of a cap on, it is worth a look. */
const nearCap = 0.9;

export interface UsageLine {
  readonly text: string;
  readonly isNearCap: boolean;
}

export function usageLine({ today, caps }: UsageReport): UsageLine {
  const { usage } = texts;
  const tokens = usage.tokens(
    usage.of(count(today.tokens), caps.tokens_a_day ? count(caps.tokens_a_day) : ''));
  const cost = usage.of(dollars(today.cost_usd), caps.cost_usd_a_day ? dollars(caps.cost_usd_a_day) : '');
  const calls = caps.concurrent
    ? usage.runningOf(today.in_flight, caps.concurrent) : usage.running(today.in_flight);
  const pace = caps.requests_a_minute ? [usage.pace(count(caps.requests_a_minute))] : [];
  const hasCap = Object.values(caps).some((cap) => cap > 0);
  const parts = [
    tokens, cost, ...(today.in_flight > 0 || caps.concurrent ? [calls] : []), ...pace,
    ...(hasCap ? [] : [usage.noCaps]),
  ];
  const isNear = (used: number, cap: number) => cap > 0 && used >= cap * nearCap;
  return {
    text: usage.today(parts.join(', ')),
    isNearCap: isNear(today.tokens, caps.tokens_a_day) ||
      isNear(today.cost_usd, caps.cost_usd_a_day) || isNear(today.in_flight, caps.concurrent),
  };
}

export function testLine(test: ModelTest): string {
  if (!test.ok) {
    // The server puts its own detail behind the sentence, as it is.
    const words = (test.diagnosis ?? texts.test.fails).replace(/\. \w/g, (start) => start.toUpperCase());
    return asSentence(words);
  }
  const first = test.first_token_ms === undefined ? '' : duration(test.first_token_ms);
  return texts.test.works(first, duration(test.latency_ms));
}

export function keyLine(key: Credential): string {
  const changed = key.updated_at !== key.created_at;
  const since = changed ? texts.keys.replaced(day(key.updated_at)) : texts.keys.since(day(key.created_at));
  return texts.keys.line(key.fingerprint.slice(0, 12), since);
}

export function duration(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function count(value: number): string {
  return value.toLocaleString(language);
}

function dollars(value: number): string {
  // Cents, but never a zero for what was not nothing.
  const digits = value > 0 && value < 0.01 ? 4 : 2;
  return `$${value.toLocaleString(language, { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

function day(at: string): string {
  return new Date(at).toLocaleDateString('en-GB', { dateStyle: 'medium' });
}
