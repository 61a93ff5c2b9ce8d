import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { proses, Reader, sessionIdOf, waitForConnection, waitForStatus, waitForWords } from './browser.mjs';
import { talk } from './talk.mjs';
import { until } from './wait.mjs';

async function open(page, name) {
  await page.getByRole('button', { name: 'More about this chat' }).click();
  await page.getByRole('menuitem', { name, exact: true }).click();
}

export const dialogTests = [
  {
    name: 'dialogs: history and context window show what was said and what the model gets',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first', 'the second');
      await open(page, 'History');
      const history = page.getByRole('dialog', { name: 'History' });
      await history.getByText('the second', { exact: true }).waitFor();
      await page.keyboard.press('Escape');
      await history.waitFor({ state: 'detached' });

      await open(page, 'Context window');
      const context = page.getByRole('dialog', { name: 'Context window' });
      await context.locator('.part').first().waitFor();
      const { parts, tokens } = await server.api(`sessions/${sessionIdOf(page)}/context-window`);
      assert.equal(await context.locator('.part').count(), parts.length);
      assert.equal(await context.locator('.token-bar rect').count(), parts.length);
      await context.getByText(`about ${tokens.toLocaleString('en')} tokens`).waitFor();
      await context.locator('summary').last().click();
      assert.equal(await context.locator('.part pre').last().textContent(), parts.at(-1).text);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'dialogs: an exported chat comes in again, once',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'to be taken along');
      await open(page, 'Import and export');
      const dialog = page.getByRole('dialog', { name: 'Import and export' });
      const coming = page.waitForEvent('download');
      await dialog.getByRole('button', { name: 'NDJSON' }).click();
      const file = await (await coming).path();
      const lines = (await readFile(file, 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
      assert.equal(lines.at(-1).end, true);
      const before = sessionIdOf(page);
      await dialog.getByLabel('Choose a file').first().setInputFiles(file);
      await page.getByText(/^Imported \d+ events\.$/).waitFor();
      await until('it is shown', async () => sessionIdOf(page) !== before);
      await waitForWords(page, 'to be taken along');
      const imported = sessionIdOf(page);

      await open(page, 'Import and export');
      await dialog.getByLabel('Choose a file').first().setInputFiles(file);
      await page.getByText('imported before').waitFor();
      assert.equal(sessionIdOf(page), imported);
      assert.equal((await server.api('sessions')).sessions.length, 2);

      await open(page, 'Import and export');
      await dialog.getByLabel('Choose a file').first().setInputFiles({
        name: 'x.ndjson', mimeType: 'application/x-ndjson', buffer: Buffer.from('{"no":"export"}\n'),
      });
      await dialog.getByRole('alert').waitFor();
      assert.deepEqual(reader.complaints.filter((text) => !text.includes('status of 422')), []);
    },
  },
  {
    name: 'dialogs: the slider shows the chat at any event, and forks there',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first', 'the second');
      await open(page, 'Go back in time');
      const dialog = page.getByRole('dialog', { name: 'Go back in time' });
      const slider = dialog.getByRole('slider', { name: 'Event' });
      await slider.waitFor();
      assert.equal(await dialog.locator('.turn').count(), 2);
      await slider.focus();
      await page.keyboard.press('Home');
      await dialog.getByText('Event 1 of').waitFor();
      await dialog.getByText('Nothing was said yet at this point.').waitFor();
      for (let i = 0; i < 40 && (await dialog.locator('.turn[data-status=done]').count()) === 0; i++) {
        await page.keyboard.press('ArrowRight');
      }
      assert.deepEqual(await proses(dialog), ['the first']);
      await dialog.getByRole('button', { name: 'Fork here' }).click();
      await dialog.waitFor({ state: 'detached' });
      await page.getByText('a new chat with the same past').waitFor();
      await until('the past is there', async () => (await page.locator('.chat .turn').count()) === 1);
      await waitForWords(page, 'the first');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'dialogs: pausing, resuming, nudging, restarting and emptying say what they did',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first');
      await page.getByRole('button', { name: 'Pause the session' }).click();
      await page.getByText('What runs is finished; nothing new begins.').waitFor();
      await page.locator('.notice').getByRole('button', { name: 'Resume' }).click();
      await page.getByText('The agent goes on.').waitFor();
      await open(page, 'Restart');
      await page.getByText('read anew from its log').waitFor();
      await open(page, 'Nudge');
      await page.getByText('The agent was asked to go on.').waitFor();
      assert.ok((await page.locator('.toast').count()) <= 3);
      await waitForStatus(page, 'done');
      await open(page, 'Reset');
      await page.getByRole('button', { name: 'Empty it' }).click();
      await page.getByText('The chat is empty now.').waitFor();
      await until('nothing is left', async () => (await page.locator('.turn').count()) === 0);
      // What cannot be done says why, and names the request.
      await open(page, 'Nudge');
      const trouble = page.locator('.toast.bad');
      await trouble.waitFor();
      await trouble.getByRole('button', { name: 'Copy request id' }).waitFor();
      await open(page, 'Nudge');
      await trouble.getByText('(2 times)').waitFor();
      assert.equal(await trouble.count(), 1);
      assert.deepEqual(reader.complaints.filter((text) => !text.includes('status of 409')), []);
    },
  },
  {
    name: 'dialogs: colours follow the reader’s choice, also after a reload and in another tab',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server, { colorScheme: 'light' })).signIn();
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      const other = await reader.page();
      await page.bringToFront(); // no frames are drawn behind
      const ground = (where) => where.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await ground(page);
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Appearance' }).click();
      await page.getByRole('radio', { name: 'Dark' }).check();
      await until('it is dark', async () => (await ground(page)) !== light);
      const dark = await ground(page);
      await until('the other is dark', async () => (await ground(other)) === dark);
      await page.reload();
      assert.equal(await ground(page), dark);
      // What was open has an address, and is open again.
      await page.getByRole('tab', { name: 'Appearance', selected: true }).waitFor();
      await page.getByRole('radio', { name: 'As the system' }).check();
      await until('it is light', async () => (await ground(page)) === light);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'dialogs: an API key is made, shown once, used and revoked',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Keys' }).click();
      await page.getByLabel('Name of the new key').fill('for the export');
      await page.getByRole('button', { name: 'Make a key' }).click();
      const key = await page.locator('.secret').textContent();
      const whoami = () => fetch(`${server.origin}/v1/auth/whoami`, {
        headers: { Authorization: `Bearer ${key}` },
      });
      assert.equal((await whoami()).status, 200);
      await page.getByRole('button', { name: 'Hide the key' }).click();
      assert.ok(!(await page.content()).includes(key), 'the key is still in the page');
      await page.getByRole('button', { name: 'Revoke “for the export”' }).click();
      await page.getByRole('button', { name: 'Revoke', exact: true }).last().click();
      await page.getByText('There are none yet.').waitFor();
      assert.equal((await whoami()).status, 401);
      await page.getByRole('tab', { name: 'About' }).click();
      await page.getByText('Model profiles').waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
];
