import assert from 'node:assert/strict';
import {
  Reader, readProse, send, sessionIdOf, waitForConnection, waitForStatus, waitForWords,
} from './browser.mjs';
import { askFor, numbered } from './rehearsal.mjs';

export const tabTests = [
  {
    name: 'tabs: a second one follows the same answer and the same list',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const first = await reader.page();
      const text = numbered(150);
      await send(first, askFor(text, { delayMs: 20 }));
      await waitForWords(first, 'word1');
      const second = await reader.page(`#s=${sessionIdOf(first)}`);
      await waitForConnection(second, 'connected');
      await waitForWords(second, 'word1');
      await waitForStatus(first, 'done');
      await waitForStatus(second, 'done');
      assert.equal(await readProse(first), text);
      assert.equal(await readProse(second), text);

      await send(second, askFor('and from the other side'));
      await waitForWords(first, 'and from the other side');

      await first.bringToFront();
      await first.locator('.row').hover();
      await first.getByRole('button', { name: /^Rename/ }).click();
      await first.getByLabel('Name of the chat').fill('A better name');
      await first.keyboard.press('Enter');
      await second.bringToFront();
      await second.locator('.chats a', { hasText: 'A better name' }).waitFor();
      await second.getByRole('heading', { name: 'A better name' }).waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'tabs: a session deleted in one is gone from the other',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const first = await reader.page();
      await send(first, askFor('soon gone'));
      await waitForStatus(first, 'done');
      const second = await reader.page(`#s=${sessionIdOf(first)}`);
      await waitForStatus(second, 'done');
      await first.locator('.row').hover();
      await first.getByRole('button', { name: /^Delete/ }).click();
      await first.getByText('is deleted, and what is remembered of it.').waitFor();
      await first.getByText('What shall we work on?').waitFor();
      await waitForStatus(second, 'done'); // until the first has no way back
      await first.getByRole('button', { name: 'Dismiss' }).click();
      await second.getByText('This chat is not here any more').waitFor();
      await second.getByText('Your chats will be listed here.').waitFor();
    },
  },
];
