import assert from 'node:assert/strict';
import { Reader, send, sessionIdOf, waitForConnection, waitForStatus, waitForWords } from './browser.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

const box = (page) => page.getByRole('textbox', { name: 'Message' });

/** A second person of the same server, by their key. */
async function keyOf(server, user) {
  await server.kill();
  const key = await server.newKey(user);
  await server.start();
  return key;
}

async function enter(page, key) {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await waitForConnection(page, 'connected');
}

/** What the server has of a person's messages. */
async function saidBy(server, key) {
  const headers = { Authorization: `Bearer ${key}` };
  const { sessions } = await server.api('sessions', { headers });
  const all = await Promise.all(sessions.map(async ({ session_id: id }) =>
    (await server.api(`sessions/${id}/events?compact=true&limit=500`, { headers })).events));
  return all.flat().filter(({ type }) => type === 'message.user')
    .map(({ payload }) => decodeURIComponent(payload.text));
}

export const peopleTests = [
  {
    name: 'people: what one wrote is not sent, shown or kept for the next',
    async run({ browser, server }) {
      const bob = await keyOf(server, 'bob');
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      await send(page, askFor('for admin only'));
      await waitForStatus(page, 'done');
      const chat = sessionIdOf(page);
      await box(page).fill('a draft of admin');
      // The session ends without the page's doing; what is sent then is refused.
      await reader.context.clearCookies();
      await page.getByRole('button', { name: 'New chat', exact: true }).click();
      await send(page, askFor('a secret of admin'));
      await page.getByLabel('API key').waitFor();
      await enter(page, bob);

      await page.getByText('Your chats will be listed here.').waitFor();
      assert.equal(await box(page).inputValue(), '');
      assert.notEqual(sessionIdOf(page), chat);
      assert.deepEqual(await saidBy(server, bob), []);
      await send(page, askFor('of bob'));
      await waitForWords(page, 'of bob');
      assert.equal((await saidBy(server, bob)).length, 1);

      await page.getByRole('button', { name: 'Sign out' }).click();
      await enter(page, server.adminKey);
      await until('admin’s message is sent', async () =>
        (await saidBy(server, server.adminKey)).some((text) => text.includes('a secret of admin')));
      await page.locator(`.chats a[href="#s=${chat}"]`).click();
      await until('admin’s draft is back', async () => (await box(page).inputValue()) === 'a draft of admin');
    },
  },
  {
    name: 'people: a file that was chosen goes with its person',
    needs: 'uploads',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      await page.locator('.composer input[type=file]').setInputFiles(
        { name: 'private.txt', mimeType: 'text/plain', buffer: Buffer.from('private') });
      await page.locator('.upload[data-phase=done]').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await enter(page, server.adminKey);
      await box(page).waitFor();
      assert.equal(await page.locator('.upload').count(), 0);
    },
  },
  {
    name: 'people: another signs in in one tab, and the other begins anew',
    async run({ browser, server }) {
      const bob = await keyOf(server, 'bob');
      const reader = await (await Reader.open(browser, server)).signIn();
      const first = await reader.page();
      await waitForConnection(first, 'connected');
      await send(first, askFor('for admin only'));
      await waitForStatus(first, 'done');
      const second = await reader.page();
      await waitForConnection(second, 'connected');
      await second.getByRole('button', { name: 'Sign out' }).click();
      await first.getByLabel('API key').waitFor();
      await enter(second, bob);
      await waitForConnection(first, 'connected');
      await first.getByText('Your chats will be listed here.').waitFor();
      assert.equal(await first.locator('.side-foot .who').textContent(), 'bob');
    },
  },
  {
    name: 'people: a message sent without a connection outlives its tab',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      await send(page, askFor('first'));
      await waitForStatus(page, 'done');
      const chat = sessionIdOf(page);
      const other = await reader.page('#new');
      await waitForConnection(other, 'connected');
      await page.bringToFront();
      await server.kill();
      await send(page, askFor('kept and sent'));
      await page.getByText('Waiting for the connection').waitFor();
      await page.close();
      await server.start();
      await until('the other tab sends it', async () =>
        (await saidBy(server, server.adminKey)).some((text) => text.includes('kept and sent')));
      await other.goto(`${server.pageUrl}#s=${chat}`);
      await waitForWords(other, 'kept and sent');
    },
  },
  {
    name: 'people: four chats deleted at once can all be had back',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const names = ['one', 'two', 'three', 'four'];
      for (const message of names) await server.api('session/message', { method: 'POST', body: { message } });
      const page = await reader.page('#new');
      await waitForConnection(page, 'connected');
      for (const name of names) {
        await page.locator('.row', { hasText: name }).hover();
        await page.getByRole('button', { name: `Delete “${name}”` }).click();
      }
      for (let left = names.length; left > 0; left--) await page.getByRole('button', { name: 'Undo' }).first().click();
      await page.reload();
      await waitForConnection(page, 'connected');
      for (const name of names) await page.locator('.row', { hasText: name }).waitFor();
    },
  },
];
