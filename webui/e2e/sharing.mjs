import assert from 'node:assert/strict';
import { Reader, sessionIdOf, waitForConnection, waitForWords } from './browser.mjs';
import { talk } from './talk.mjs';

async function enter(page, key) {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await waitForConnection(page, 'connected');
}

async function openShare(page) {
  await page.getByRole('button', { name: 'More about this chat' }).click();
  await page.getByRole('menuitem', { name: 'Who sees this chat', exact: true }).click();
  return page.getByRole('dialog', { name: 'Who sees this chat' });
}

export const sharingTests = [
  {
    name: 'sharing: another sees a chat while it is shared with him, and whose it is',
    async run({ browser, server }) {
      const made = (user) => server.api('keys', { method: 'POST', body: { name: user, user_id: user } });
      const bob = (await made('bob')).key;
      const { page } = await talk(browser, server, 'for two');
      const chat = sessionIdOf(page);
      const other = await (await Reader.open(browser, server)).page();
      await enter(other, bob);
      await other.getByText('Your chats will be listed here.').waitFor();

      const dialog = await openShare(page);
      await dialog.getByLabel('Share with (user)').fill('bob');
      await dialog.getByRole('button', { name: 'Share', exact: true }).click();
      await dialog.locator('.shared-with', { hasText: 'bob' }).waitFor();
      await other.locator(`.chats a[href="#s=${chat}"]`, { hasText: 'of admin' }).click();
      await waitForWords(other, 'for two');
      await other.locator('.chat-owner', { hasText: 'of admin' }).waitFor();
      // He sees with whom, and changes nothing.
      const his = await openShare(other);
      await his.locator('.shared-with', { hasText: 'bob' }).waitFor();
      assert.equal(await his.getByRole('radio').count(), 0);
      await other.keyboard.press('Escape');

      await dialog.getByRole('button', { name: 'No longer share with bob' }).click();
      await dialog.getByText('It is shared with nobody yet.').waitFor();
      await other.locator(`.chats a[href="#s=${chat}"]`).waitFor({ state: 'detached' });
      await dialog.getByText('Everybody here').click();
      await other.locator(`.chats a[href="#s=${chat}"]`).waitFor();
    },
  },
];
