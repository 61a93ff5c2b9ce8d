import { expect, test, vi } from 'vitest';
import { fakePage } from '../../testing/fake_page';

/** Every source but what begins to run when it is loaded. */
const sources = import.meta.glob(['../../**/*.{ts,tsx}', '!../../**/*.test.{ts,tsx}', '!../../app/main.tsx', '!../../testing/**']);

vi.mock('../../ui/markdown/sanitize', () => ({ sanitize: (html: string) => html }));

const read: string[] = [];

vi.mock('./language', async (real) => ({
  ...(await real<typeof import('./language')>()),
  words: (english: object) => new Proxy(english, {
    get: (_, name) => {
      read.push(String(name));
      return '';
    },
  }),
}));

test('texts: none is read while the page is loaded, so that a language can be chosen after that', async () => {
  fakePage();
  expect(Object.keys(sources).length).toBeGreaterThan(100);
  for (const [file, load] of Object.entries(sources)) {
    await load();
    expect([file, ...read]).toEqual([file]);
  }
}, 60_000);
