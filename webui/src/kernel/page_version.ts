import { signal } from '@preact/signals';
import { NoAnswer } from './api/http';
import { hasUnsaved } from './unsaved';
import { t } from './texts/texts';

/** The server has another version of the page by now: parts of this one are not there any more. */
export const outdated = signal(false);

/** Says why a part of the page could not be brought. */
export class PageOutdated extends Error {
  constructor() {
    super(t.update.needed);
  }
}

/** Brings a part of the page that was left out of the first load. */
export async function bring<Part>(load: () => Promise<Part>): Promise<Part> {
  try {
    return await load();
  } catch {
    await checkVersion();
    throw outdated.peek() ? new PageOutdated() : new NoAnswer('a part of the page');
  }
}

/** Asks whether the server still serves this page: its first page names the script that runs here. */
export async function checkVersion(): Promise<void> {
  if (outdated.peek() || !import.meta.env.PROD) return;
  try {
    const answer = await fetch(location.pathname, { cache: 'no-cache' });
    const text = await answer.text();
    const script = new URL(import.meta.url).pathname.split('/').pop() ?? '';
    // A proxy's page of its own says nothing about ours.
    if (answer.ok && text.includes('<div id="app">') && !text.includes(script)) outdated.value = true;
  } catch {
    // Asked again at the next connection.
  }
  reloadUnseen();
}

/** All that was written is kept, so a page nobody looks at may begin anew at once. */
function reloadUnseen(): void {
  const isIdle = document.visibilityState === 'hidden' && !globalThis.speechSynthesis?.speaking;
  if (outdated.peek() && isIdle && !hasUnsaved()) location.reload();
}

export function startVersion(): void {
  document.addEventListener('visibilitychange', reloadUnseen);
}
