import assert from 'node:assert/strict';
import { Reader, waitForConnection } from './browser.mjs';

// The page cannot know that it is not signed in before it asked: that one answer is in the console.
const askedWhoami = /status of 401/;

export const signInTests = [
  {
    name: 'sign-in: the one-time link opens the page and leaves the address bar',
    server: { adminKey: false },
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server);
      const token = await server.signInToken();
      const page = await reader.page(`#signin=${token}`);
      await waitForConnection(page, 'connected');
      assert.ok(!page.url().includes('signin'), 'the token stays in the address bar');
      assert.deepEqual(reader.complaints, []);

      const stranger = await Reader.open(browser, server);
      const second = await stranger.page(`#signin=${token}`);
      await second.getByText('not valid any more').waitFor();
    },
  },
  {
    name: 'sign-in: an API key opens the page, signing out closes it',
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server);
      const page = await reader.page();
      const key = page.getByLabel('API key');
      await key.fill('not a key');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('does not know that key').waitFor();
      await key.fill(server.adminKey);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await waitForConnection(page, 'connected');
      await page.reload();
      await waitForConnection(page, 'connected');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await key.waitFor();
      const others = reader.complaints.filter((text) => !askedWhoami.test(text));
      assert.deepEqual(others, []);
    },
  },
];
