// Documents that are imported as knowledge from the Memory view, and where what is known is from.
import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { picture, send, waitForConnection, waitForStatus } from './browser.mjs';
import { handbook } from './documents.mjs';
import { card, indexed, openMemory } from './memory.mjs';
import { until } from './wait.mjs';

const needs = 'uploads';

/** A picture of one red point. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==', 'base64');

const markdown = (name, text) => ({ name, mimeType: 'text/markdown', buffer: Buffer.from(text) });

/** A PDF with a line on each of its pages. */
function pdf(name, lines) {
  const page = (i) => 4 + 2 * i;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${lines.length} /Kids [${lines.map((_, i) => `${page(i)} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...lines.flatMap((line, i) => {
      const drawn = `BT /F1 14 Tf 60 720 Td (${line}) Tj ET`;
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${page(i) + 1} 0 R >>`,
        `<< /Length ${drawn.length} >>\nstream\n${drawn}\nendstream`,
      ];
    }),
  ];
  let text = '%PDF-1.4\n';
  const places = objects.map((object, i) => {
    const at = text.length;
    text += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return String(at).padStart(10, '0');
  });
  const table = text.length;
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${places.map((at) => `${at} 00000 n \n`).join('')}`;
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`;
  return { name, mimeType: 'application/pdf', buffer: Buffer.from(text, 'latin1') };
}

const rules = () => pdf('house rules.pdf', [
  'The kitchen closes at nine in the evening.', 'The boiler is serviced every November by Okafor and Sons.',
]);
const choose = (page, ...files) => page.getByLabel('Choose documents').setInputFiles(files);
const row = (page, name) => page.locator('.memory-import', { hasText: name });
const ended = (page) => page.locator('.memory-imports h2', { hasText: /kept/ }).waitFor();

export const knowledgeTests = [
  {
    name: 'memory: documents are imported, and what is known leads to them',
    needs,
    async run({ browser, server }) {
      const { reader, page } = await openMemory(browser, server);
      await page.getByRole('button', { name: 'Import knowledge' }).waitFor();
      let goOn;
      const held = new Promise((done) => (goOn = done));
      await page.route('**/v1/memory/import', async (route) => {
        await held;
        await route.continue();
      });
      await choose(page, markdown('handbook.md', handbook), rules());
      await row(page, 'handbook.md').getByText('reading', { exact: true }).waitFor();
      await row(page, 'house rules.pdf').getByText('waiting', { exact: true }).waitFor();
      // It goes on while a chat is looked at, and says there how many.
      await page.getByRole('button', { name: 'Back to the chat' }).click();
      await page.getByText('What shall we work on?').waitFor();
      goOn();
      await page.getByText(/^2 documents are kept, in \d passages\.$/).waitFor();
      await indexed(server);
      await page.getByRole('button', { name: 'Show all knowledge' }).click();
      await until('it is narrowed to knowledge', () => page.url().endsWith('open=memory&kind=knowledge'));
      await row(page, 'handbook.md').getByText(/^\d passages$/).waitFor();
      const deliveries = card(page, 'Deliveries');
      await deliveries.getByText('Handbook > Deliveries').waitFor();
      await deliveries.getByRole('link', { name: 'handbook.md' }).waitFor();
      const boiler = card(page, 'The boiler');
      await boiler.getByText('page 2', { exact: true }).waitFor();
      const link = boiler.getByRole('link', { name: 'house rules.pdf' });
      const coming = page.waitForEvent('download');
      await link.click();
      assert.equal((await coming).suggestedFilename(), 'house rules.pdf');
      await page.getByRole('searchbox', { name: 'Search memories' }).fill('boiler November');
      await boiler.locator('mark').first().waitFor();
      await boiler.getByText('page 2', { exact: true }).waitFor();

      // The same again, dropped: it is known to be kept.
      await page.evaluate((text) => {
        const files = new DataTransfer();
        files.items.add(new File([text], 'again.md', { type: 'text/markdown' }));
        const drop = (type) => new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true });
        document.querySelector('.memory').dispatchEvent(drop('dragover'));
        document.querySelector('.memory-column').dispatchEvent(drop('drop'));
      }, handbook);
      await row(page, 'again.md').getByText('is kept already').waitFor();
      await page.getByRole('button', { name: 'Close this list' }).click();
      assert.equal(await page.locator('.memory-imports').count(), 0);

      // A turn is told of it, and says where from.
      await page.evaluate(() => (location.hash = '#new'));
      await waitForConnection(page, 'connected');
      await send(page, 'Who services the boiler in November?');
      await waitForStatus(page, 'done');
      await page.locator('.recalled summary').click();
      const told = page.locator('.recalled li', { hasText: 'The boiler is serviced' });
      await told.getByRole('link', { name: 'house rules.pdf' }).waitFor();
      assert.match(await told.textContent(), /Knowledge · page 2/);
      await assertAccessible(page, 'knowledge in a turn');
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  ...[[390, 844, 'dark'], [1280, 800, 'light'], [390, 844, 'light'], [1280, 800, 'dark']].map(([width, height, colorScheme]) => ({
    name: `memory looks: an import can be cancelled and says what failed, at ${width} px, ${colorScheme}`,
    needs,
    async run({ browser, server }) {
      const small = width < 500;
      const { reader, page } = await openMemory(browser, server, '#new&open=memory', {
        viewport: { width, height }, colorScheme, isMobile: small, hasTouch: small,
      });
      const look = async (what) => {
        await picture(page, `import-${width}-${colorScheme}-${what}`);
        const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
        assert.ok(content <= room, `${what}: ${content} px wide in ${room} px`);
        await assertAccessible(page, what);
      };
      const cdp = await reader.context.newCDPSession(page);
      await cdp.send('Network.enable');
      const slowly = (uploadThroughput) => cdp.send('Network.emulateNetworkConditions', {
        offline: false, latency: 0, downloadThroughput: -1, uploadThroughput,
      });
      const photo = { name: 'all of us at the summer party by the lake.png', mimeType: 'image/png', buffer: png };
      const broken = { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4\nnothing of it') };
      await choose(page, markdown('handbook.md', handbook), photo, broken);
      await row(page, broken.name).getByText('The PDF cannot be read.').waitFor();
      await row(page, photo.name).getByText('There is no text in it: nothing is kept.').waitFor();
      await slowly(60_000);
      await choose(page, markdown('everything that was ever said.md', 'x '.repeat(450_000)), rules());
      const bar = page.getByRole('progressbar', { name: /^everything.*: uploaded so far/ });
      await until('it is on its way', async () => Number(await bar.getAttribute('value')) > 0);
      await page.locator('.memory-imports h2', { hasText: 'Importing 4 of 5: everything' }).waitFor();
      await page.getByText(/^uploading [1-9]\d? %$/).waitFor();
      await look('running');
      const cancel = page.getByRole('button', { name: 'Cancel “everything that was ever said.md”' });
      await cancel.focus();
      await page.keyboard.press('Enter');
      await slowly(-1);
      await until('the focus stays, to begin again', () => page.evaluate(() =>
        document.activeElement.getAttribute('aria-label') === 'Import “everything that was ever said.md” again'));
      await ended(page);
      assert.match(await page.locator('.memory-imports h2').textContent(),
        /^2 documents are kept, in \d passages\. 1 has no text\. 1 could not be imported\. 1 was cancelled\.$/);
      await look('ended');
      assert.deepEqual(reader.complaints.filter((line) => !/status of 4\d\d/.test(line)), []);
    },
  })),
];
