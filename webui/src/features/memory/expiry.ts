/** How long a memory is kept, as it is chosen. */
export const terms = ['always', 'day', 'week', 'month', 'date'] as const;
export type Term = (typeof terms)[number];

export interface Expiry {
  readonly term: Term;
  /** The last day on which it is kept, `2026-12-05`, by the reader's calendar; of `date` alone. */
  readonly until: string;
}

export const always: Expiry = { term: 'always', until: '' };

/** As a form shows what the server told. */
export function expiryOf(expiresAt: string | null | undefined): Expiry {
  const at = new Date(expiresAt ?? '');
  return Number.isNaN(at.getTime()) ? always : { term: 'date', until: dayOf(at) };
}

/** As the server is told of it; null: it is kept. */
export function expiresAt({ term, until }: Expiry, now = new Date()): string | null {
  switch (term) {
    case 'always': return null;
    case 'day': return later(now, 1).toISOString();
    case 'week': return later(now, 7).toISOString();
    case 'month': return nextMonth(now).toISOString();
    case 'date': return endOf(until)?.toISOString() ?? null;
  }
}

/** Whether what was chosen is what was so before. */
export function isSame(before: string | null | undefined, chosen: Expiry): boolean {
  const { term, until } = expiryOf(before);
  return chosen.term === term && (term !== 'date' || chosen.until === until);
}

/** Whether a day was chosen, and it is none that has gone by. */
export function isAhead({ term, until }: Expiry, now = new Date()): boolean {
  return term !== 'date' || (endOf(until)?.getTime() ?? 0) > now.getTime();
}

/** The day as a date field has it. */
export function dayOf(at: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** The same hour, whatever the clocks are changed by in between. */
export function later(now: Date, days: number): Date {
  const then = new Date(now);
  then.setDate(then.getDate() + days);
  return then;
}

/** The same day of the next month, or its last. */
function nextMonth(now: Date): Date {
  const then = new Date(now);
  const days = new Date(now.getFullYear(), now.getMonth() + 2, 0).getDate();
  then.setMonth(now.getMonth() + 1, Math.min(now.getDate(), days));
  return then;
}

function endOf(day: string): Date | null {
  const [, year, month, date] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day) ?? [];
  if (year === undefined) return null;
  const at = new Date(Number(year), Number(month) - 1, Number(date), 23, 59, 59);
  return dayOf(at) === day ? at : null;
}
