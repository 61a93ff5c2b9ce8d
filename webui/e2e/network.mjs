import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import {
  picture, Reader, send, waitForConnection, waitForStatus, waitForWords,
} from './browser.mjs';
import { askFor, numbered } from './rehearsal.mjs';
import { importSession } from './sessions.mjs';
import { underPath } from './sub_path.mjs';
import { until } from './wait.mjs';

/** How many event streams the server has open: what a worker asks for shows in no page. */
async function streamsOpen(server) {
  const answer = await fetch(`${server.origin}/metrics`, {
    headers: { Authorization: `Bearer ${server.adminKey}` },
  });
  return Number(/^soma_streams_open (\d+)/m.exec(await answer.text())?.[1]);
}

const streams = (server, count) =>
  until(`${count} streams are open`, async () => (await streamsOpen(server)) === count);

/** A server that is away shows in the console, whatever the page does about it. */
const lost = /net::ERR_|Failed to load resource/;

export const networkTests = [
  {
    name: 'network: tabs share one stream of the tenant and one a session, and give them back',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const ids = [];
      for (let i = 1; i <= 4; i++) ids.push(await importSession(server, 1, { title: `Talk ${i}` }));
      const first = await reader.page(`#s=${ids[0]}`);
      await waitForConnection(first, 'connected');
      await streams(server, 2);
      const second = await reader.page(`#s=${ids[0]}`);
      await waitForConnection(second, 'connected');
      await streams(server, 2);
      await send(second, askFor('heard in both'));
      await waitForWords(first, 'heard in both');

      const third = await reader.page(`#s=${ids[1]}`);
      await waitForConnection(third, 'connected');
      const fourth = await reader.page(`#s=${ids[2]}`);
      await waitForConnection(fourth, 'connected');
      await streams(server, 4);
      // A fifth would be too many: the one that was used longest ago stands still, and says so.
      const fifth = await reader.page(`#s=${ids[3]}`);
      await waitForConnection(fifth, 'connected');
      await streams(server, 4);
      await waitForConnection(first, 'parked');
      await first.bringToFront();
      await picture(first, 'parked');
      await first.getByRole('button', { name: 'Show live' }).click();
      await waitForConnection(first, 'connected');
      await streams(server, 4);
      for (const page of [second, third, fourth, fifth]) await page.close();
      await streams(server, 2);
      await first.close();
      await streams(server, 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'network: while an answer streams nothing is asked for, and never anything of others',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor(numbered(120), { delayMs: 20 }));
      await waitForWords(page, 'word1');
      await page.locator('.chats a[aria-current=page]').waitFor();
      await until('the mark is there', async () => page.locator('.mark-busy').isVisible());
      const before = reader.urls.length;
      await waitForWords(page, 'word117');
      await waitForStatus(page, 'done');
      assert.deepEqual(reader.urls.slice(before), []);
      assert.deepEqual(reader.strangers, []);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'network: what is written offline waits in sight, and goes out once',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor('the first'));
      await waitForStatus(page, 'done');
      await reader.context.setOffline(true);
      await waitForConnection(page, 'offline');
      await send(page, askFor('the second'));
      await send(page, askFor('the third'));
      await page.locator('[data-outgoing=waiting]').waitFor();
      await picture(page, 'offline');
      await reader.context.setOffline(false);
      await waitForWords(page, 'the third');
      await until('nothing is left to send', async () =>
        (await page.locator('[data-outgoing]').count()) === 0);
      await waitForConnection(page, 'connected');
      assert.equal(await page.locator('.bubble').count(), 3);
      assert.deepEqual(reader.complaints.filter((text) => !lost.test(text)), []);
    },
  },
  {
    name: 'network: a lost server is told of with the seconds to the next try, and can be tried now',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      await server.kill();
      await waitForConnection(page, 'reconnecting');
      await page.locator('.connection', { hasText: /in \d s/ }).waitFor();
      await picture(page, 'reconnecting');
      await server.start();
      await page.locator('.connection').getByRole('button', { name: 'Now' }).click({ timeout: 500 }).catch(() => {});
      await waitForConnection(page, 'connected');
      assert.deepEqual(reader.complaints.filter((text) => !lost.test(text)), []);
    },
  },
  {
    name: 'network: the page works under a sub-path, streams, code and dialogs too',
    async run({ browser, server }) {
      const proxy = await underPath(server, '/some/where');
      try {
        const reader = await Reader.open(browser, server);
        const page = await reader.context.newPage();
        await page.goto(`${proxy.url}/ui/index.html`);
        await page.getByLabel('API key').fill(server.adminKey);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await waitForConnection(page, 'connected');
        await send(page, askFor('Here:\n\n```js\nconst a = 1;\n```\n\nand $x^2$ there.'));
        await waitForStatus(page, 'done');
        await page.locator('.hljs-keyword').waitFor();
        await page.locator('math').waitFor();
        await page.getByRole('button', { name: 'Settings', exact: true }).click();
        await page.getByRole('tab', { name: 'About' }).click();
        await page.getByText('Up for').waitFor();
        assert.deepEqual(reader.urls.filter((url) => !/\/some\/where\/(ui|v1)\//.test(url)), []);
        assert.deepEqual(reader.complaints.filter((line) => !line.includes('status of 401')), []);
      } finally {
        proxy.close();
      }
    },
  },
  {
    name: 'network: without a SharedWorker each tab sees to itself',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await reader.context.addInitScript(() => delete globalThis.SharedWorker);
      const page = await reader.page();
      await send(page, askFor(numbered(60), { delayMs: 20 }));
      await waitForWords(page, 'word1');
      const other = await reader.page(new URL(page.url()).hash);
      await waitForStatus(other, 'done');
      await waitForStatus(page, 'done');
      await streams(server, 4);
      await other.close();
      await streams(server, 2);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'network: the page can be installed, with icons of its own',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const href = await page.locator('link[rel=manifest]').evaluate((link) => link.href);
      const manifest = await page.evaluate(async (url) => (await fetch(url)).json(), href);
      assert.equal(manifest.display, 'standalone');
      for (const { src, sizes } of manifest.icons) {
        const size = await page.evaluate(async ({ url, sizes }) => {
          const bitmap = await createImageBitmap(await (await fetch(url)).blob()).catch(() => null);
          return bitmap ? `${bitmap.width}x${bitmap.height}` : sizes;
        }, { url: new URL(src, href).href, sizes });
        assert.equal(size, sizes);
      }
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'network: what is not up is named, and the mark goes when it is up, without a reload',
    server: { provider: { baseUrl: '', model: '' } },
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'degraded');
      await page.locator('.connection', { hasText: 'Degraded: no model is set up' }).waitFor();
      await page.locator('.banner.warn').getByRole('button', { name: 'Set up a model' }).waitFor();
      await picture(page, 'degraded');
      await assertAccessible(page, 'degraded');
      await server.api('model-profiles', {
        method: 'POST', body: { name: 'default', model: 'any', base_url: 'http://127.0.0.1:9', provider: 'own' },
      });
      await waitForConnection(page, 'connected');
      await page.locator('.banner.warn').waitFor({ state: 'detached' });
      assert.deepEqual(reader.complaints, []);
    },
  },
];
