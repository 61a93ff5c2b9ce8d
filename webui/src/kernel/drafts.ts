import { effect, signal, untracked } from '@preact/signals';
import { keep as keepInBrowser, kept } from './kept';
import { mine, person } from './person';

/**
 * What was written and not sent, a text for each chat. Kept in the browser for the person who wrote
 * it, so that a reload, a crash and another tab find it again. A draft is kept whole or not at all.
 */
const stored = 'soma.drafts';
const keptMax = 100;
/** Of all together: a browser keeps some five million for all that is of one host. */
const charsMax = 1_500_000;
const writeAfterMs = 300;

const drafts = new Map<string, string>();
const listeners = new Set<(chat: string) => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** The chats whose drafts the browser has no room for: they live as long as this page. */
export const unkeptDrafts = signal<ReadonlySet<string>>(new Set());

export function startDrafts(): void {
  effect(() => {
    if (person.value !== null) untracked(begin);
  });
  window.addEventListener('pagehide', write);
  window.addEventListener('storage', (event) => {
    if (person.peek() === null || (event.key !== mine(stored) && event.key !== null)) return;
    const theirs = read();
    for (const chat of new Set([...drafts.keys(), ...theirs.keys()])) {
      const text = theirs.get(chat) ?? '';
      if (text === draftOf(chat)) continue;
      keep(chat, text);
      for (const listener of listeners) listener(chat);
    }
  });
}

export function draftOf(chat: string): string {
  return drafts.get(chat) ?? '';
}

export function setDraft(chat: string, text: string): void {
  keep(chat, text);
  clearTimeout(timer);
  // What was sent must not come back in another tab.
  if (text === '') write();
  else timer = setTimeout(write, writeAfterMs);
}

/** Told of a draft that another tab changed. Answers what ends it. */
export function onDraft(listener: (chat: string) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function clearDrafts(): void {
  drafts.clear();
  write();
}

function begin(): void {
  // What was typed before it was known who types stays what was typed.
  for (const [chat, text] of [...read(), ...drafts]) keep(chat, text);
  for (const chat of drafts.keys()) for (const listener of listeners) listener(chat);
}

function keep(chat: string, text: string): void {
  drafts.delete(chat);
  if (text !== '') drafts.set(chat, text);
}

function write(): void {
  clearTimeout(timer);
  timer = undefined;
  if (person.peek() === null) return;
  let room = charsMax;
  const newestFirst = [...drafts].slice(-keptMax).reverse();
  const fitting = newestFirst.filter(([, text]) => text.length <= room && ((room -= text.length), true));
  const isKept = keepInBrowser(mine(stored), fitting.length === 0 ? null : JSON.stringify(fitting.reverse()));
  const safe = new Set(isKept ? fitting.map(([chat]) => chat) : []);
  const unkept = [...drafts.keys()].filter((chat) => !safe.has(chat));
  if (unkept.length > 0 || unkeptDrafts.peek().size > 0) unkeptDrafts.value = new Set(unkept);
}

function read(): Map<string, string> {
  try {
    const found: unknown = JSON.parse(kept(mine(stored)) ?? '[]');
    return new Map(Array.isArray(found) ? (found as [string, string][]) : []);
  } catch {
    return new Map();
  }
}
