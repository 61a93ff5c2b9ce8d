// The Audit view, an admin's.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { assertAccessible } from './axe.mjs';
import { picture, Reader, waitForConnection } from './browser.mjs';
import { until } from './wait.mjs';

const records = (page) => page.locator('.audit-record');

export const auditTests = [
  {
    name: 'audit: an admin finds what was done, by whom, with its diff, and exports it; others do not see it',
    async run({ browser, server }) {
      await server.kill();
      const bob = await server.newKey('bob');
      await server.start();
      const { session_id: session } = await server.api('sessions', { method: 'POST', body: {} });
      for (let i = 0; i < 60; i++) await server.api('memories', { method: 'POST', body: { text: `Number ${i}` } });
      await server.api('settings', { method: 'PUT', body: { llm: { model: 'another' } } });
      await server.api('memories', { headers: { Authorization: 'Bearer sk-nobody' } }).catch(() => {});

      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page('#new');
      await waitForConnection(page, 'connected');
      await page.locator('.side-place[data-place=audit]').click();
      await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
      await page.getByText(/Signed up to record \d+/).waitFor();
      await until('a page is there', async () => (await records(page).count()) >= 50);
      await page.getByRole('button', { name: 'Show older ones' }).click();
      await page.locator('.audit-record', { hasText: 'audit.begun' }).waitFor();
      await page.getByRole('button', { name: 'Show older ones' }).waitFor({ state: 'detached' });

      // By what it is, and the record with its diff.
      await page.getByLabel('What', { exact: true }).fill('settings.update');
      await until('only that is left', async () => (await records(page).count()) === 1);
      await until('it is in the address', () => page.url().endsWith('open=audit&what=settings.update'));
      await page.getByRole('button', { name: /^Details of settings.update/ }).click();
      const change = page.locator('.audit-diff tbody tr', { hasText: 'llm.model' });
      assert.deepEqual((await change.locator('td').allTextContents()).at(-1), 'another');
      await picture(page, 'audit');
      await assertAccessible(page, 'the audit');

      // By a chat, in the address, too; and all of a request.
      await page.reload();
      await until('it is the same again', async () => (await records(page).count()) === 1);
      await page.getByRole('button', { name: 'Clear the filters' }).click();
      await page.getByLabel('Chat', { exact: true }).fill(session);
      await until('only what is of it', async () => (await records(page).count()) === 1);
      await page.getByRole('button', { name: /^Details of conversation.send/ }).click();
      const coming = page.waitForEvent('download');
      await page.getByRole('link', { name: 'Export these as NDJSON' }).click();
      const lines = (await readFile(await (await coming).path(), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line));
      assert.deepEqual(lines.map((line) => [line.what, line.session_id]), [['conversation.send', session]]);
      await page.getByRole('button', { name: 'All of this request' }).click();
      await until('it is asked for', () => page.url().includes('request='));
      await until('only what is of it', async () => (await records(page).count()) === 1);

      // Who was refused.
      await page.getByRole('button', { name: 'Clear the filters' }).click();
      await page.getByLabel('What', { exact: true }).fill('auth.refused');
      await page.locator('.audit-record[data-outcome=denied]').first().waitFor();
      await page.getByLabel('Before', { exact: true }).fill('2020-01-01T00:00');
      await page.getByText('No record fits.').waitFor();
      await page.getByRole('button', { name: 'Back to the chat' }).click();
      await page.getByText('What shall we work on?').waitFor();
      assert.deepEqual(reader.complaints, []);

      // Another of the tenant.
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('API key').fill(bob);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await waitForConnection(page, 'connected');
      assert.equal(await page.locator('.side-place[data-place=audit]').count(), 0);
    },
  },
];
