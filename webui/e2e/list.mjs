import assert from 'node:assert/strict';
import { Reader, send, sessionIdOf, waitForConnection, waitForStatus, waitForWords } from './browser.mjs';
import { askFor, numbered } from './rehearsal.mjs';
import { importSession, makeSessions } from './sessions.mjs';
import { until } from './wait.mjs';

const row = (page, name) => page.locator('.row', { hasText: name });

async function removeChat(page, name) {
  await row(page, name).hover();
  await page.getByRole('button', { name: new RegExp(`^Delete “${name}`) }).click();
}

export const listTests = [
  {
    name: 'list: a deleted chat comes back by undo, and is gone for good only after',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await makeSessions(server, 2);
      const page = await reader.page();
      await row(page, 'Session 2').locator('a').click();
      const id = sessionIdOf(page);
      await removeChat(page, 'Session 2');
      await row(page, 'Session 2').waitFor({ state: 'detached' });
      await page.getByText('What shall we work on?').waitFor();
      await server.api(`sessions/${id}`); // still there
      await page.getByRole('button', { name: 'Undo' }).click();
      await row(page, 'Session 2').waitFor();
      assert.equal(sessionIdOf(page), id);

      await removeChat(page, 'Session 1');
      await page.getByRole('button', { name: 'Dismiss' }).click();
      await until('it is deleted', async () => (await server.api('sessions')).sessions.length === 1);

      // Leaving the page is no way to keep it.
      await removeChat(page, 'Session 2');
      await page.close();
      await until('it is deleted', async () => (await server.api('sessions')).sessions.length === 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'list: search finds what is shown and what was never read',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await server.api('sessions', { method: 'POST', body: { title: 'The needle' } });
      await makeSessions(server, 260);
      const page = await reader.page();
      await row(page, 'Session 260').waitFor();
      assert.equal(await row(page, 'The needle').count(), 0);
      await page.keyboard.press('Control+k');
      await page.keyboard.type('NEEDLE');
      await row(page, 'The needle').waitFor();
      assert.equal(await page.locator('.row').count(), 1);
      await page.keyboard.type(' in no haystack');
      await page.getByText('No chat has that in its name.').waitFor();
      await page.keyboard.press('Escape');
      await row(page, 'Session 260').waitFor();
      // And by keys a new chat is begun from anywhere.
      await row(page, 'Session 260').click();
      await page.getByRole('heading', { name: 'Session 260' }).waitFor();
      await page.keyboard.press('Control+Shift+O');
      await page.getByRole('heading', { name: 'What shall we work on?' }).waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'list: a long one draws what is in view, and is read on as it is scrolled',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await makeSessions(server, 500);
      const page = await reader.page();
      await row(page, 'Session 500').waitFor();
      const list = page.locator('.chats');
      await until('the oldest is reached', async () => {
        await list.evaluate((box) => (box.scrollTop = box.scrollHeight));
        assert.ok((await page.locator('.row').count()) < 80, 'too many rows are drawn');
        return page.getByText('Session 1', { exact: true }).isVisible();
      });
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'list: marks say which chat is at work and which said something new',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, `First. ${askFor(numbered(60), { delayMs: 25 })}`);
      await waitForWords(page, 'word1');
      await page.getByRole('button', { name: 'New chat' }).click();
      await page.getByRole('img', { name: 'The agent is at work' }).waitFor();
      await page.getByRole('img', { name: 'There is something new' }).waitFor();
      await page.reload();
      await page.getByRole('img', { name: 'There is something new' }).waitFor();
      await row(page, 'First').locator('a').click();
      await waitForStatus(page, 'done');
      await page.getByRole('button', { name: 'New chat' }).click();
      assert.equal(await page.getByRole('img', { name: 'There is something new' }).count(), 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'list: a draft stays with its chat, through a reload and into another tab',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await makeSessions(server, 2);
      const page = await reader.page();
      const box = page.getByRole('textbox', { name: 'Message' });
      await row(page, 'Session 1').locator('a').click();
      await box.fill('for the first');
      await row(page, 'Session 2').locator('a').click();
      await until('the other draft is empty', async () => (await box.inputValue()) === '');
      await box.fill('for the second');
      await page.reload();
      await waitForConnection(page, 'connected');
      assert.equal(await box.inputValue(), 'for the second');
      await row(page, 'Session 1').locator('a').click();
      await until('its draft is back', async () => (await box.inputValue()) === 'for the first');

      const other = await reader.page(`#s=${sessionIdOf(page)}`);
      const theirs = other.getByRole('textbox', { name: 'Message' });
      await until('it is in the other tab', async () => (await theirs.inputValue()) === 'for the first');
      await theirs.fill('changed there');
      await until('the change is here', async () => (await box.inputValue()) === 'changed there');
      await theirs.fill('');
      await until('it is gone here', async () => (await box.inputValue()) === '');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'list: scrolling up in a long chat reads one page ahead, and no more',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const id = await importSession(server, 900);
      const page = await reader.page(`#s=${id}`);
      await waitForWords(page, 'Answer 900');
      const pages = () => reader.urls.filter((url) => url.includes(`/sessions/${id}/events?`)).length;
      const scroller = page.locator('.scroller');
      const isPage = (request) => request.url().includes(`/sessions/${id}/events?`);
      let open = 0;
      page.on('request', (request) => (open += isPage(request) ? 1 : 0));
      page.on('requestfinished', (request) => (open -= isPage(request) ? 1 : 0));
      // Up and down at the top, as a wheel that does not rest.
      for (let i = 0; i < 12; i++) {
        await scroller.evaluate((box) => (box.scrollTop = 500));
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        await scroller.evaluate((box) => (box.scrollTop = 0));
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        await until('what was asked for is there', () => open === 0);
      }
      assert.ok(pages() <= 2, `${pages()} pages were read, and nothing of them is drawn`);
      assert.equal(await page.locator('.turn').count(), 40);
    },
  },
  {
    name: 'list: what is drawn of a long chat stays drawn, and with it what is being written there',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const id = await importSession(server, 60);
      const page = await reader.page(`#s=${id}`);
      await waitForWords(page, 'Answer 60');
      const oldest = page.locator('.turn').first();
      await oldest.getByRole('button', { name: 'Edit', exact: true }).click();
      await page.getByLabel('Edit the message').fill('half written');
      for (let i = 0; i < 3; i++) {
        await server.api('session/message', { method: 'POST', body: { session_id: id, message: `more ${i}` } });
      }
      await page.locator('.bubble', { hasText: 'more 2' }).waitFor();
      assert.equal(await page.getByLabel('Edit the message').inputValue(), 'half written');
      assert.equal(await page.locator('.turn').count(), 43);
    },
  },
  {
    name: 'list: a long chat opens at its end and is read backwards',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const id = await importSession(server, 240);
      const page = await reader.page(`#s=${id}`);
      await waitForWords(page, 'Answer 240');
      const pages = () => reader.urls.filter((url) => url.includes(`/sessions/${id}/events?`)).length;
      assert.equal(pages(), 1);
      assert.equal(await page.locator('.turn').count(), 40);
      for (let i = 0; i < 20; i++) {
        if (await page.getByText('Question 1?', { exact: true }).count()) break;
        await page.getByRole('button', { name: 'Show earlier messages' }).click();
        await until('more is drawn', async () =>
          (await page.locator('.turn').count()) >= Math.min(240, 40 * (i + 2)));
      }
      assert.deepEqual(
        await page.locator('.bubble').allTextContents(),
        Array.from({ length: 240 }, (_, i) => `Question ${i + 1}?`),
      );
      assert.equal(await page.getByRole('button', { name: 'Show earlier messages' }).count(), 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
];
