/**
 * What was written and not sent, a text for each chat. Kept in the browser, so that a reload, a
 * crash and another tab find it again.
 */
const stored = 'soma.drafts';
const keptMax = 100;
const charsMax = 100_000;
const writeAfterMs = 300;

const drafts = read();
const listeners = new Set<(chat: string) => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

export function startDrafts(): void {
  window.addEventListener('pagehide', write);
  window.addEventListener('storage', (event) => {
    if (event.key !== stored && event.key !== null) return;
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

function keep(chat: string, text: string): void {
  drafts.delete(chat);
  if (text !== '') drafts.set(chat, text);
}

function write(): void {
  clearTimeout(timer);
  timer = undefined;
  const kept = [...drafts].slice(-keptMax).map(([chat, text]) => [chat, text.slice(0, charsMax)]);
  try {
    if (kept.length === 0) localStorage.removeItem(stored);
    else localStorage.setItem(stored, JSON.stringify(kept));
  } catch {
    // No room: the draft lives as long as this page.
  }
}

function read(): Map<string, string> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(stored) ?? '[]');
    return new Map(Array.isArray(kept) ? (kept as [string, string][]) : []);
  } catch {
    return new Map();
  }
}
