// Personal data that leaves: the choice in the settings, and what a chat says where some was held back.
import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { lastTurn, picture, Reader, send, waitForConnection, waitForStatus, waitForWords } from './browser.mjs';
import { askFor, askForTool } from './rehearsal.mjs';
import { until } from './wait.mjs';

const sizes = [[1280, 800, 'light'], [360, 740, 'light'], [360, 740, 'dark']];

async function openPrivacy(page, small) {
  if (small) await page.getByRole('button', { name: 'Show the chats' }).click();
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByRole('tab', { name: 'Privacy' }).click();
  await page.getByRole('radio', { name: /^As this server is set up/ }).waitFor();
}

const chosen = (page) => page.locator('.privacy-mode:has(:checked)').getAttribute('data-mode');

export const privacyTests = [
  ...sizes.map(([width, height, colorScheme]) => ({
    name: `privacy: an admin says what becomes of personal data, and the chat what was held back, at ${width} px, ${colorScheme}`,
    async run({ browser, server }) {
      const small = width < 500;
      const reader = await (await Reader.open(browser, server, {
        viewport: { width, height }, colorScheme, isMobile: small, hasTouch: small,
      })).signIn();
      const page = await reader.page('#new');
      await waitForConnection(page, 'connected');
      await send(page, askFor('It went.'));
      await waitForWords(page, 'It went.');

      await openPrivacy(page, small);
      assert.equal(await chosen(page), 'server');
      const look = async (what) => {
        await picture(page, `privacy-${width}-${colorScheme}-${what}`);
        await assertAccessible(page, what);
        const [content, room] = await page.evaluate(() => [
          document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        assert.ok(content <= room, `${what}: ${content} px wide in ${room} px`);
      };
      await look('settings');
      const stored = async () => (await server.api('settings')).egress;
      await page.getByRole('radio', { name: /^Hold it back/ }).check();
      await page.getByText('Saved. It counts from now on.').waitFor();
      assert.deepEqual(await stored(), { pii: 'deny', from: 'tenant' });
      // By the keyboard, too; and what another changes is shown.
      await page.keyboard.press('ArrowUp');
      await until('it is kept', async () => (await stored()).pii === 'redact');
      assert.equal(await chosen(page), 'redact');
      await server.api('settings', { method: 'PUT', body: { egress: { pii: 'deny' } } });
      await until('it is shown', async () => (await chosen(page)) === 'deny');
      await look('chosen');
      await page.keyboard.press('Escape');
      await page.locator('.settings').waitFor({ state: 'detached' });
      if (small) await page.keyboard.press('Escape'); // the drawer

      // A tool that would be sent some, which the message itself does not show.
      await page.goto(`${server.pageUrl}#new`);
      await page.getByText('What shall we work on?').waitFor();
      await send(page, askForTool('http_fetch', { url: 'http://192.0.2.1/?to=cid@example.org' }));
      const call = page.locator('.tool', { hasText: 'http fetch' }).last();
      await call.getByText(/^not allowed/).waitFor();
      await call.getByText('Held back: there is personal data in it.').first().waitFor();
      await look('tool');

      // A message with some in it.
      await page.goto(`${server.pageUrl}#new`);
      await page.getByText('What shall we work on?').waitFor();
      await send(page, `Write to bob@example.org. ${askFor('It went.')}`);
      await waitForStatus(page, 'failed');
      const card = lastTurn(page).locator('.failure');
      await card.getByText('Held back: there is personal data in it.').waitFor();
      await card.getByText(/mail: \d/).waitFor();
      await card.getByText('egress.pii').waitFor();
      await look('held-back');

      await openPrivacy(page, small);
      await page.getByRole('radio', { name: /^As this server is set up/ }).check();
      await until('it is the server’s again', async () => (await stored()).from === 'configuration');
      await page.getByRole('radio', { name: 'As this server is set up: let it go' }).waitFor();
      assert.deepEqual(reader.complaints.filter((text) => !text.includes('status of 40')), []);
    },
  })),
  {
    name: 'privacy: who may not change it is told so, and it stays as it was',
    server: { policy: `
[[rule]]
id = "settled"
effect = "deny"
actions = ["settings.update"]
reason = "The data protection officer settles this."

[[rule]]
id = "all-else"
effect = "allow"
actions = ["*"]
` },
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page('#new');
      await waitForConnection(page, 'connected');
      await openPrivacy(page, false);
      await page.getByRole('radio', { name: /^Hold it back/ }).click();
      await page.getByText('The data protection officer settles this.').waitFor();
      await until('it is as it was', async () => (await chosen(page)) === 'server');
      await picture(page, 'privacy-denied');
    },
  },
];
