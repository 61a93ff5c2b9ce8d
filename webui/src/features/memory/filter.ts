import type { Memory, MemoryKind } from '../../kernel/api/types';
import type { Params } from '../../kernel/route';

/** What is shown of all that is remembered; '' where it does not matter. */
export interface MemoryFilter {
  /** Words to look for. */
  readonly q: string;
  readonly kind: MemoryKind | '';
  readonly state: Memory['state'] | '';
  readonly tag: string;
  readonly session: string;
  readonly pinned: boolean;
}

export const kinds: readonly MemoryKind[] = ['message', 'note', 'knowledge', 'summary'];
export const states: readonly Memory['state'][] = ['stored', 'replicated', 'failed'];

/** Out of an address, which anybody may have written. */
export function filterOf({ q = '', kind = '', state = '', tag = '', session = '', pinned }: Params): MemoryFilter {
  return {
    q,
    kind: kinds.find((one) => one === kind) ?? '',
    state: states.find((one) => one === state) ?? '',
    tag,
    session,
    pinned: pinned === 'true',
  };
}

export function paramsOf({ pinned, ...words }: MemoryFilter): Params {
  const set = Object.entries(words).filter(([, value]) => value.trim() !== '');
  return { ...Object.fromEntries(set), ...(pinned ? { pinned: 'true' } : {}) };
}

/** As the API is asked, but for the words. */
export function queryOf({ kind, state, tag, session, pinned }: MemoryFilter): URLSearchParams {
  const all = { kind, state, tag, session_id: session, pinned: pinned ? 'true' : '' };
  return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== ''));
}

/** How many of them are in use, the words aside. */
export function inUse({ q: _, ...filter }: MemoryFilter): number {
  return Object.keys(paramsOf({ q: '', ...filter })).length;
}

export function fits(memory: Memory, { kind, state, tag, session, pinned }: MemoryFilter): boolean {
  return (kind === '' || memory.kind === kind) && (state === '' || memory.state === state) &&
    (tag === '' || memory.tags.includes(tag)) && (session === '' || memory.session_id === session) &&
    (!pinned || memory.pinned);
}
