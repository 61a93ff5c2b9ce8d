import type { Params } from '../../kernel/route';

/** What is shown of all that was done; '' where it does not matter. */
export interface AuditFilter {
  /** A user's id. */
  readonly who: string;
  /** An action; with `*` at its end whatever begins so. */
  readonly what: string;
  readonly session: string;
  readonly request: string;
  /** As a `datetime-local` field has it, in the reader's own time. */
  readonly from: string;
  readonly to: string;
}

/** Out of an address, which anybody may have written. */
export function filterOf({ who = '', what = '', session = '', request = '', from = '', to = '' }: Params): AuditFilter {
  return { who, what, session, request, from: timeOf(from) === '' ? '' : from, to: timeOf(to) === '' ? '' : to };
}

export function paramsOf(filter: AuditFilter): Params {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value.trim() !== ''));
}

/** As the API is asked. */
export function queryOf({ who, what, session, request, from, to }: AuditFilter): URLSearchParams {
  const all = {
    who, what, session_id: session, request_id: request, from: timeOf(from), to: timeOf(to),
  };
  const set = Object.entries(all).map(([name, value]): [string, string] => [name, value.trim()]);
  return new URLSearchParams(set.filter(([, value]) => value !== ''));
}

/** How many of them are in use. */
export function inUse(filter: AuditFilter): number {
  return Object.keys(paramsOf(filter)).length;
}

/** As the API has times; '' where it is none. */
function timeOf(local: string): string {
  const time = new Date(local);
  return local === '' || Number.isNaN(time.getTime()) ? '' : time.toISOString();
}
