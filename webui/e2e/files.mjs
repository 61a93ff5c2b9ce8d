import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { lastTurn, picture, Reader, sessionIdOf, waitForConnection, waitForStatus } from './browser.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

const needs = 'uploads';
/** A picture of one red point. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==',
  'base64');
const text = (name, words) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(words) });

async function start(browser, server, options) {
  const reader = await (await Reader.open(browser, server, options)).signIn();
  const page = await reader.page();
  await waitForConnection(page, 'connected');
  await page.getByRole('button', { name: 'Attach files' }).waitFor();
  return { reader, page };
}

const choose = (page, ...files) => page.getByLabel('Choose files').setInputFiles(files);

export const fileTests = [
  {
    name: 'files: chosen, pasted and dropped ones go with the message, and open from it',
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server);
      await choose(page, text('plan.txt', 'The plan.'), { name: 'dot.png', mimeType: 'image/png', buffer: png });
      const give = (type) => page.evaluate(({ type }) => {
        const files = new DataTransfer();
        files.items.add(new File([`by ${type}`], `${type}.txt`, { type: 'text/plain' }));
        const area = document.querySelector(type === 'paste' ? 'textarea' : 'main.chat');
        const event = type === 'paste'
          ? new ClipboardEvent('paste', { clipboardData: files, bubbles: true, cancelable: true })
          : new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true });
        area.dispatchEvent(event);
      }, { type });
      await give('paste');
      await give('drop');
      await until('all are there', async () =>
        (await page.locator('.upload[data-phase=done]').count()) === 4);
      await picture(page, 'files-composer');
      await assertAccessible(page, 'composer with files');
      await page.getByRole('button', { name: 'Remove “paste.txt”' }).click();
      await page.getByRole('textbox', { name: 'Message' }).fill(askFor('I see.'));
      await page.keyboard.press('Enter');
      await waitForStatus(page, 'done');
      assert.equal(await page.locator('.upload').count(), 0);
      const turn = lastTurn(page);
      assert.deepEqual((await turn.locator('.attached span').allTextContents()).sort(), ['drop.txt', 'plan.txt']);
      // What the runtime read is shown by its name, not its id.
      await turn.locator('.tool-gist', { hasText: 'plan.txt' }).waitFor();
      await until('the picture is drawn', () =>
        turn.locator('.attached-picture img').evaluate((image) => image.naturalWidth === 1));
      const href = await turn.locator('.attached', { hasText: 'plan.txt' }).getAttribute('href');
      assert.equal(await page.evaluate(async (url) => (await fetch(url)).text(), href), 'The plan.');
      await page.reload();
      await turn.locator('.attached', { hasText: 'plan.txt' }).waitFor();
      await picture(page, 'files-message');
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  {
    name: 'files: an upload shows how far it is, can be cancelled, and sent again when it failed',
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server);
      const cdp = await reader.context.newCDPSession(page);
      const slowly = (bytesASecond) => cdp.send('Network.emulateNetworkConditions', {
        offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesASecond,
      });
      await cdp.send('Network.enable');
      await slowly(60_000);
      await choose(page, text('big.txt', 'x'.repeat(900_000)));
      const bar = page.getByRole('progressbar', { name: 'big.txt: sent so far' });
      await until('it is on its way', async () => Number(await bar.getAttribute('value')) > 0);
      await picture(page, 'files-progress');
      assert.equal(await page.getByRole('button', { name: 'Send' }).isDisabled(), true);
      await page.getByRole('button', { name: 'Cancel “big.txt”' }).click();
      assert.equal(await page.locator('.upload').count(), 0);
      await slowly(-1);

      await page.route('**/v1/uploads', (route) => route.abort());
      await choose(page, text('small.txt', 'small'));
      await page.locator('.upload[data-phase=failed]').waitFor();
      await picture(page, 'files-failed');
      await page.unroute('**/v1/uploads');
      await page.getByRole('button', { name: 'Send “small.txt” again' }).click();
      await page.locator('.upload[data-phase=done]').waitFor();
      assert.deepEqual(reader.complaints.filter((line) => !line.includes('net::ERR_FAILED')), []);
    },
  },
  ...[[360, 740, 'dark'], [1440, 900, 'light']].map(([width, height, colorScheme]) => ({
    name: `files: all of a chat's attachments are in one place at ${width} px, ${colorScheme}`,
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server, { viewport: { width, height }, colorScheme });
      const message = page.getByRole('textbox', { name: 'Message' });
      await choose(page, text('plan.txt', `The plan.\n${'more '.repeat(4000)}`),
        { name: 'dot.png', mimeType: 'image/png', buffer: png });
      await until('both are there', async () => (await page.locator('.upload[data-phase=done]').count()) === 2);
      await message.fill(`Look at these. ${askFor('I see.')}`);
      await page.keyboard.press('Enter');
      await waitForStatus(page, 'done');
      await choose(page, text('empty note.md', ' '));
      await page.locator('.upload[data-phase=done]').waitFor();
      await message.fill(`And this. ${askFor('Yes.')}`);
      await page.keyboard.press('Enter');
      await until('it is answered', async () => (await page.locator('.turn[data-status=done]').count()) === 2);
      await page.getByRole('button', { name: 'More about this chat' }).click();
      await page.getByRole('menuitem', { name: 'Attachments' }).click();
      const dialog = page.getByRole('dialog', { name: 'Attachments' });
      const card = (name) => dialog.locator('.file-card', { hasText: name });
      await until('all are known', async () =>
        (await dialog.locator('.file-card[data-state=clean]').count()) === 3);
      assert.deepEqual(await dialog.locator('.file-card strong').allTextContents(),
        ['empty note.md', 'dot.png', 'plan.txt']);
      assert.match(await card('plan.txt').innerText(), /text\/plain · 20\.0 kB · ready\s+With “Look at these\./);
      await until('the picture is drawn', () =>
        card('dot.png').locator('img').evaluate((image) => image.naturalWidth === 1));
      await card('plan.txt').getByText('Look inside').click();
      await card('plan.txt').locator('pre', { hasText: 'The plan.' }).waitFor();
      await card('plan.txt').getByText('Only the beginning is shown.').waitFor();
      const body = dialog.locator('.modal-body');
      assert.equal(await body.evaluate((box) => box.scrollWidth > box.clientWidth), false);
      await picture(page, `attachments-${width}-${colorScheme}`);
      await assertAccessible(page, 'attachments');
      const coming = page.waitForEvent('download');
      await dialog.getByRole('link', { name: 'Download “plan.txt”' }).click();
      assert.equal((await coming).suggestedFilename(), 'plan.txt');
      await dialog.getByRole('button', { name: 'Delete “dot.png”' }).click();
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await dialog.locator('.file-card[data-state="attachment.expired"]').getByText('deleted').waitFor();
      assert.equal(await dialog.getByRole('button', { name: /^Delete “/ }).count(), 2);
      // What is gone cannot be fetched, and the browser says so.
      assert.deepEqual(reader.complaints.filter((line) => !line.includes('status of 410')), []);
      assert.deepEqual(reader.strangers, []);
    },
  })),
  {
    name: 'files: pictures that the server has are shown in answers, and no others are fetched',
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server);
      await choose(page, { name: 'dot.png', mimeType: 'image/png', buffer: png });
      await page.locator('.upload[data-phase=done]').waitFor();
      await page.getByRole('textbox', { name: 'Message' }).fill(askFor('Yes.'));
      await page.keyboard.press('Enter');
      await waitForStatus(page, 'done');
      const session = sessionIdOf(page);
      const id = new URL(await page.locator('.attached-picture').getAttribute('href')).pathname.split('/').at(-1);
      await fetch(`${server.origin}/v1/workdir/write?session_id=${session}&path=plots/one.png`, {
        method: 'PUT', body: png, headers: { Authorization: `Bearer ${server.adminKey}` },
      });
      await page.getByRole('textbox', { name: 'Message' }).fill(askFor(
        `![by id](/v1/attachments/${id}) ![by path](plots/one.png)\n\n` +
        '![away](https://example.invalid/p.png) ![up](../one.png) ![drawn](x.svg) ![act](/v1/sessions)'));
      await page.keyboard.press('Enter');
      const images = lastTurn(page).locator('.prose img');
      await until('both are drawn', () => images.evaluateAll((all) =>
        all.length === 2 && all.every((image) => image.naturalWidth === 1)));
      assert.deepEqual(await images.evaluateAll((all) => all.map(({ alt }) => alt)), ['by id', 'by path']);
      assert.equal(await lastTurn(page).getByRole('link', { name: 'away' }).getAttribute('href'),
        'https://example.invalid/p.png');
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  ...[[360, 740, 'light'], [1440, 900, 'dark']].map(([width, height, colorScheme]) => ({
    name: `files: the work folder is browsed and changed at ${width} px, ${colorScheme}`,
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server, { viewport: { width, height }, colorScheme });
      await page.getByRole('textbox', { name: 'Message' }).fill(askFor('Here.'));
      await page.keyboard.press('Enter');
      await waitForStatus(page, 'done');
      await page.getByRole('button', { name: 'More about this chat' }).click();
      await page.getByRole('menuitem', { name: 'Files', exact: true }).click();
      const dialog = page.getByRole('dialog', { name: 'Files' });
      await dialog.getByText('Nothing is here yet.').waitFor();
      await dialog.getByRole('button', { name: 'New folder' }).click();
      await dialog.getByLabel('Name', { exact: true }).fill('notes');
      await page.keyboard.press('Enter');
      await dialog.getByRole('button', { name: 'notes', exact: true }).click();
      await dialog.getByLabel('Choose files').setInputFiles(text('a.txt', 'first words'));
      await dialog.getByRole('button', { name: 'a.txt', exact: true }).click();
      const area = dialog.getByLabel('notes/a.txt');
      assert.equal(await area.inputValue(), 'first words');
      await area.fill('other words');
      await dialog.getByRole('button', { name: 'Save' }).click();
      await dialog.getByText('Saved.').waitFor();
      await picture(page, `files-editor-${width}-${colorScheme}`);
      await assertAccessible(page, 'editor');
      await dialog.getByRole('button', { name: 'Back to the folder' }).click();
      await dialog.getByRole('button', { name: 'Move or rename “a.txt”' }).click();
      await dialog.getByLabel('New path').fill('notes/b.txt');
      await page.keyboard.press('Enter');
      await dialog.getByRole('button', { name: 'b.txt', exact: true }).waitFor();
      await picture(page, `files-folder-${width}-${colorScheme}`);
      await assertAccessible(page, 'folder');
      const coming = page.waitForEvent('download');
      await dialog.getByRole('link', { name: 'Download “b.txt”' }).click();
      assert.equal((await coming).suggestedFilename(), 'b.txt');
      const read = await server.api(
        `workdir/read?session_id=${sessionIdOf(page)}&path=notes/b.txt`);
      assert.equal(read.text, 'other words');
      await dialog.getByRole('button', { name: 'Delete “b.txt”' }).click();
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await dialog.getByText('Nothing is here yet.').waitFor();
      await dialog.getByRole('radio', { name: 'All chats' }).check();
      await dialog.getByText('Nothing is here yet.').waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  })),
];
