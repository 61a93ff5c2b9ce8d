import assert from 'node:assert/strict';
import { picture, Reader, send, sessionIdOf, waitForConnection, waitForStatus, waitForWords } from './browser.mjs';
import { openModels, field } from './models_page.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

const question = (page) => page.getByRole('heading', { name: 'Discard your changes?' });

async function put(server, path, text, sessionId) {
  const query = new URLSearchParams({ path, ...(sessionId ? { session_id: sessionId } : {}) });
  const answer = await fetch(`${server.origin}/v1/workdir/write?${query}`, {
    method: 'PUT', body: text, headers: { Authorization: `Bearer ${server.adminKey}` },
  });
  assert.ok(answer.ok, await answer.text());
}

/** The files of a chat that has some. */
async function openFiles(browser, server, files) {
  const reader = await (await Reader.open(browser, server)).signIn();
  const page = await reader.page();
  await waitForConnection(page, 'connected');
  await send(page, askFor('hello'));
  await waitForStatus(page, 'done');
  const chat = sessionIdOf(page);
  for (const [path, text] of Object.entries(files)) await put(server, path, text, chat);
  await page.getByRole('button', { name: 'More about this chat' }).click();
  await page.getByRole('menuitem', { name: 'Files' }).click();
  await page.locator('.work-list').waitFor();
  return { reader, page, chat };
}

export const unsavedTests = [
  {
    name: 'unsaved: a profile that is being changed is asked about wherever one leaves it',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const dialog = await openModels(page);
      await page.getByRole('button', { name: 'Edit “default”' }).click();
      await field(page, 'Model').fill('half typed');
      const ways = [
        () => page.getByRole('tab', { name: 'Appearance' }).click(),
        () => page.keyboard.press('Escape'),
        () => page.getByRole('button', { name: 'Close the settings' }).click(),
        () => page.getByRole('button', { name: 'All models' }).click(),
      ];
      for (const leave of ways) {
        await leave();
        await question(page).waitFor();
        await page.getByRole('button', { name: 'Keep editing' }).click();
        assert.equal(await field(page, 'Model').inputValue(), 'half typed');
      }
      await ways[0]();
      await page.getByRole('button', { name: 'Discard', exact: true }).click();
      await page.getByRole('tab', { name: 'Appearance', selected: true }).waitFor();
      assert.equal(await dialog.count(), 1);
      assert.notEqual((await server.api('model-profiles/default')).model, 'half typed');
    },
  },
  {
    name: 'unsaved: limits of a tool are asked about, and are not written over somebody else’s',
    needs: 'tools',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Tools' }).click();
      const entry = page.locator('[data-tool=calculator]');
      await entry.locator('summary').click();
      const time = entry.getByLabel('Time, ms');
      const first = await time.inputValue();
      await time.fill('1234');
      for (const leave of [
        () => page.getByRole('tab', { name: 'About' }).click(),
        () => page.keyboard.press('Escape'),
        () => page.getByRole('button', { name: 'Close the settings' }).click(),
      ]) {
        await leave();
        await question(page).waitFor();
        await page.getByRole('button', { name: 'Keep editing' }).click();
        assert.equal(await time.inputValue(), '1234');
      }
      // Somebody else is first, and the page has not heard of it.
      await page.route(/\/v1\/tool-catalog$/, (route) => route.abort());
      const { tools } = await server.api('tool-catalog');
      const echo = tools.find(({ id }) => id === 'echo') ?? tools.find(({ id }) => id !== 'calculator');
      await server.api(`tool-catalog/${echo.id}`, { method: 'PUT', body: { enabled: !echo.enabled } });
      await entry.getByRole('button', { name: 'Save', exact: true }).click();
      await entry.getByText('Somebody else changed the tools meanwhile').waitFor();
      const stored = async () => (await server.api('tool-catalog')).tools.find(({ id }) => id === 'calculator').limits.timeout_ms;
      assert.equal(String(await stored()), first);
      await page.unroute(/\/v1\/tool-catalog$/);
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('button', { name: 'Try again' }).waitFor({ state: 'detached' });
      assert.equal(await time.inputValue(), '1234');
      await entry.getByRole('button', { name: 'Save', exact: true }).click();
      await until('it is saved', async () => (await stored()) === 1234);
      await page.getByRole('tab', { name: 'About' }).click();
      await page.getByRole('tab', { name: 'About', selected: true }).waitFor();
    },
  },
  {
    name: 'unsaved: a file that is being changed is asked about wherever one leaves it',
    needs: 'uploads',
    async run({ browser, server }) {
      const { page, chat } = await openFiles(browser, server, { 'notes.md': 'first' });
      await page.getByRole('button', { name: 'notes.md', exact: true }).click();
      const text = page.getByRole('textbox', { name: 'notes.md' });
      await text.fill('half typed');
      const ways = [
        () => page.keyboard.press('Escape'),
        () => page.mouse.click(5, 5),
        () => page.getByRole('button', { name: 'Close', exact: true }).click(),
        () => page.getByRole('button', { name: 'Back to the folder' }).click(),
        () => page.getByText('All chats', { exact: true }).click(),
      ];
      for (const leave of ways) {
        await leave();
        await question(page).waitFor();
        await page.getByRole('button', { name: 'Keep editing' }).click();
        assert.equal(await text.inputValue(), 'half typed');
      }
      // A tool wrote meanwhile.
      await put(server, 'notes.md', 'by a tool', chat);
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByRole('heading', { name: 'Write over the file?' }).waitFor();
      await page.getByRole('button', { name: 'Write over it' }).click();
      await page.getByText('Saved.').waitFor();
      // What is saved is not asked about: one step back, and out.
      await page.keyboard.press('Escape');
      await page.locator('.work-list').waitFor();
      await page.keyboard.press('Escape');
      await page.locator('dialog.modal').waitFor({ state: 'detached' });
    },
  },
  {
    name: 'unsaved: a session that ends takes nothing of what is being written',
    needs: 'uploads',
    async run({ browser, server }) {
      const { reader, page } = await openFiles(browser, server, { 'notes.md': 'first' });
      await page.getByRole('button', { name: 'notes.md', exact: true }).click();
      const text = page.getByRole('textbox', { name: 'notes.md' });
      await text.fill('an hour’s work');
      await reader.context.clearCookies();
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText('Your session has ended.').waitFor();
      await picture(page, 'sign-in-again');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      await page.getByLabel('API key').fill(server.adminKey);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.locator('.sign-in-over').waitFor({ state: 'detached' });
      assert.equal(await text.inputValue(), 'an hour’s work');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByText('Saved.').waitFor();
      await page.keyboard.press('Escape');
      await page.locator('.work-list').waitFor();
      await page.keyboard.press('Escape');
      // The chat is live again, and what is edited in it is there, too.
      await page.getByRole('button', { name: 'Edit', exact: true }).click();
      await page.getByLabel('Edit the message').fill('half edited');
      await reader.context.clearCookies();
      await page.getByRole('button', { name: 'Pause the session' }).click();
      await page.getByText('Your session has ended.').waitFor();
      await page.getByLabel('API key').fill(server.adminKey);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.locator('.sign-in-over').waitFor({ state: 'detached' });
      assert.equal(await page.getByLabel('Edit the message').inputValue(), 'half edited');
      await page.getByLabel('Edit the message').press('Escape');
      await question(page).waitFor();
      await page.getByRole('button', { name: 'Keep editing' }).click();
      assert.equal(await page.getByLabel('Edit the message').inputValue(), 'half edited');
      await waitForConnection(page, 'connected');
      await send(page, askFor('live again'));
      await waitForWords(page, 'live again');
    },
  },
  {
    name: 'files: what is deleted is what was clicked, whatever folder is on its way',
    needs: 'uploads',
    async run({ browser, server }) {
      const { page } = await openFiles(browser, server, { 'a.txt': '1', 'folder/a.txt': '2' });
      // The folder’s list is slow; the one before it must not be taken for it.
      let release;
      const held = new Promise((done) => (release = done));
      await page.route(/workdir\/list\?.*path=folder/, async (route) => {
        await held;
        await route.continue();
      });
      await page.getByRole('button', { name: 'folder', exact: true }).click();
      assert.equal(await page.getByRole('button', { name: 'Delete “a.txt”' }).count(), 0);
      await page.getByRole('navigation', { name: 'Folder' }).getByRole('button', { name: 'Files' }).click();
      await page.getByRole('button', { name: 'folder', exact: true }).waitFor();
      const late = page.waitForResponse(/workdir\/list\?.*path=folder/);
      release();
      await (await late).finished();
      // The late answer changes nothing.
      await page.getByRole('button', { name: 'folder', exact: true }).waitFor();
      await page.getByRole('button', { name: 'Delete “a.txt”' }).click();
      await page.getByText('“a.txt” will be gone for good.').waitFor();
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await until('the file is gone', async () =>
        (await page.getByRole('button', { name: 'Delete “a.txt”' }).count()) === 0);
      await page.getByRole('button', { name: 'folder', exact: true }).click();
      await page.getByRole('button', { name: 'Delete “a.txt”' }).waitFor();
    },
  },
];
