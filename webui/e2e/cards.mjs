import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { picture, Reader, sessionIdOf, waitForConnection, waitForStatus } from './browser.mjs';
import { askFor, askForTool } from './rehearsal.mjs';

const sizes = [[390, 844, 'light'], [390, 844, 'dark'], [1440, 900, 'light'], [1440, 900, 'dark']];

async function start(browser, server, [width, height, colorScheme]) {
  const isMobile = width < 500;
  const reader = await Reader.open(browser, server, {
    viewport: { width, height }, colorScheme, isMobile, hasTouch: isMobile,
  });
  const page = await (await reader.signIn()).page();
  await waitForConnection(page, 'connected');
  return { reader, page };
}

/** Types and sends, however this reader's device sends. */
async function say(page, text) {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.getByRole('button', { name: /^(Send|Queue the message)$/ }).click();
}

const cardOf = (page) => page.locator('.tool').last();

export const cardTests = [
  ...sizes.map((size) => ({
    name: `cards: a program that failed says so and why, code is code, at ${size[0]} px, ${size[2]}`,
    needs: 'sandbox',
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server, size);
      const code = 'import sys\nfor i in range(3):\n    print("step", i)\n' +
        'open("report.csv", "w").write("a,b\\n")\nprint("Traceback", file=sys.stderr)\nraise SystemExit("boom: no such thing")\n';
      await say(page, askForTool('code_execute', { language: 'python', code }));
      await waitForStatus(page, 'done');
      const card = cardOf(page);
      await card.getByText('exit 1').waitFor();
      await card.locator('summary', { hasText: 'boom: no such thing' }).waitFor();
      // Open by itself, and highlighted.
      await card.locator('.code .hljs-keyword').first().waitFor();
      assert.equal(await card.locator('.code pre').textContent(), code);
      await card.locator('.terminal pre', { hasText: 'step 2' }).waitFor();
      assert.match(await card.locator('.stderr').textContent(), /boom/);
      assert.equal(await card.getByText('Output so far').count(), 0);
      assert.equal(await card.getByText('"code"').count(), 0);
      await card.getByRole('button', { name: 'Copy' }).first().waitFor();
      const link = card.getByRole('link', { name: /report\.csv/ });
      const answer = await page.request.get(await link.getAttribute('href'));
      assert.equal(await answer.text(), 'a,b\n');
      await card.locator('summary').evaluate((head) => head.scrollIntoView());
      await picture(page, `cards-failed-${size[0]}-${size[2]}`);
      await card.getByRole('button', { name: 'JSON' }).click();
      await card.getByText('"exit_code": 1').waitFor();
      await card.getByRole('button', { name: 'JSON' }).click();
      await assertAccessible(page, 'a failed card');

      await say(page, askForTool('code_execute', { language: 'bash', code: 'echo fine' }));
      await cardOf(page).getByText(/^done/).waitFor();
      assert.equal(await cardOf(page).locator('.tool-body').count(), 0, 'what worked is folded');
      assert.deepEqual(reader.complaints, []);
    },
  })),
  {
    name: 'cards: a link to a file of the work folder leads to the file',
    needs: 'uploads',
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server, sizes[2]);
      await say(page, askFor('Here is your [report](report.csv), [page](/work/page.html) and [site](https://example.org/).'));
      await waitForStatus(page, 'done');
      await fetch(`${server.origin}/v1/workdir/write?${new URLSearchParams({ session_id: sessionIdOf(page), path: 'report.csv' })}`, {
        method: 'PUT', body: 'a,b', headers: { Authorization: `Bearer ${server.adminKey}` },
      });
      const hrefs = await page.locator('.prose a').evaluateAll((links) => links.map((link) => link.href));
      assert.equal(hrefs.length, 3);
      const file = await page.request.get(hrefs[0]);
      assert.equal(await file.text(), 'a,b');
      assert.match(file.headers()['content-disposition'], /report\.csv/);
      assert.match(hrefs[1], /workdir\/download\?.*path=page\.html$/);
      assert.equal(hrefs[2], 'https://example.org/');
      assert.deepEqual(reader.strangers, []);
    },
  },
];
