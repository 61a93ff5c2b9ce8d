import assert from 'node:assert/strict';
import {
  Reader, readProse, send, waitForConnection, waitForStatus, waitForWords,
} from './browser.mjs';
import { askFor, numbered } from './rehearsal.mjs';
import { until } from './wait.mjs';

// A server that is down shows in the console, whatever the page does about it.
const serverDown = /net::ERR_|Failed to load resource/;

function unexpected(reader) {
  return reader.complaints.filter((text) => !serverDown.test(text));
}

export const restartTests = [
  {
    name: 'restart: an answer goes on after kill -9, without a gap and without a repeat',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const text = numbered(300);
      await send(page, askFor(text, { delayMs: 20 }));
      await waitForWords(page, 'word21');
      await server.kill();
      await waitForConnection(page, 'reconnecting');
      const kept = await readProse(page);
      assert.ok(text.startsWith(kept), `not a beginning: ${kept}`);
      await server.start();
      await waitForConnection(page, 'connected');
      await waitForStatus(page, 'done');
      assert.equal(await readProse(page), text);
      await page.reload();
      await waitForStatus(page, 'done');
      assert.equal(await readProse(page), text);
      assert.deepEqual(unexpected(reader), []);
    },
  },
  {
    name: 'restart: two tabs come back by themselves, twice',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const first = await reader.page();
      const text = numbered(400);
      await send(first, askFor(text, { delayMs: 20 }));
      await waitForWords(first, 'word21');
      const second = await reader.page(new URL(first.url()).hash);
      await waitForWords(second, 'word21');
      for (const word of ['word101', 'word201']) {
        await server.kill();
        await waitForConnection(first, 'reconnecting');
        await waitForConnection(second, 'reconnecting');
        await server.start();
        await waitForWords(first, word);
        await waitForWords(second, word);
      }
      for (const page of [first, second]) {
        await waitForStatus(page, 'done');
        assert.equal(await readProse(page), text);
      }
      assert.deepEqual(unexpected(reader), []);
    },
  },
  {
    name: 'restart: a message written while the server is away is sent once it is back, once',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor('the first answer'));
      await waitForStatus(page, 'done');
      await server.kill();
      await waitForConnection(page, 'reconnecting');
      await send(page, askFor('the second answer'));
      await page.getByText('Waiting for the connection').waitFor();
      await page.reload().catch(() => {}); // the page itself comes from the server that is away
      await server.start();
      await page.goto(server.pageUrl);
      await waitForWords(page, 'the second answer');
      await waitForStatus(page, 'done');
      assert.equal(await page.locator('.bubble').count(), 2);
      await until('nothing is left to send', async () =>
        (await page.locator('[data-outgoing]').count()) === 0);
      assert.deepEqual(unexpected(reader), []);
    },
  },
  {
    name: 'restart: a server with a newer page is told of, and what was written stays',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      const box = page.getByRole('textbox', { name: 'Message' });
      await box.fill('half written');
      // As after an update: the first page names another script, and parts of this one are gone.
      await page.route('**/ui/index.html', async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, body: (await answer.text()).replace(/index-[\w-]+\.js/, 'index-newer.js') });
      });
      await page.route('**/assets/settings_dialog-*', (route) => route.fulfill({ status: 404, body: 'gone' }));
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByText('The server was updated: reload the page').waitFor();
      await page.getByText('The server has a newer version of this page.').waitFor();
      await page.unrouteAll();
      await page.getByRole('button', { name: 'Reload', exact: true }).click();
      await waitForConnection(page, 'connected');
      await until('the draft is there', async () => (await box.inputValue()) === 'half written');
      assert.equal(await page.getByText('The server has a newer version').count(), 0);
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Models' }).waitFor();
      await page.keyboard.press('Escape');

      // Told of at the next connection, too.
      await page.route('**/ui/index.html', async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, body: (await answer.text()).replace(/index-[\w-]+\.js/, 'index-newer.js') });
      });
      await server.kill();
      await waitForConnection(page, 'reconnecting');
      await server.start();
      await page.getByText('The server has a newer version of this page.').waitFor();
    },
  },
];
