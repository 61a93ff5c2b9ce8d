import assert from 'node:assert/strict';
import {
  lastTurn, Reader, readProse, send, sessionIdOf, waitForConnection, waitForStatus, waitForWords,
} from './browser.mjs';
import { askFor, askForFailure, numbered } from './rehearsal.mjs';
import { until } from './wait.mjs';

const long = numbered(400);

export const conversationTests = [
  {
    name: 'conversation: a message is answered piece by piece, and nothing else is asked for',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await page.getByText('Rehearsal server, not a model').waitFor();
      const text = numbered(80);
      await send(page, askFor(text, { delayMs: 20 }));
      await waitForWords(page, 'word1');
      assert.ok((await readProse(page)).length < text.length, 'the answer came all at once');
      await waitForStatus(page, 'done');
      assert.equal(await readProse(page), text);
      await page.locator('.chats a[aria-current=page]').waitFor();
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  {
    name: 'conversation: Markdown is shown, and what is not harmless is not',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const attack =
        '<img src=x onerror=alert(1)> <script>alert(2)</script> [x](javascript:alert(3)) ' +
        '![p](https://example.invalid/p.png)';
      await send(page, askFor(`**bold** and \`code\`\n\n| a | b |\n|--|--:|\n| 1 | 2 |\n\n${attack}`));
      await waitForStatus(page, 'done');
      const turn = lastTurn(page);
      assert.equal(await turn.locator('.prose strong').textContent(), 'bold');
      assert.equal(await turn.locator('.prose td[align=right]').textContent(), '2');
      assert.equal(await turn.locator('.prose :is(img, script)').count(), 0);
      const hrefs = await turn.locator('.prose a').evaluateAll((links) => links.map((a) => a.href));
      assert.deepEqual(hrefs.filter((href) => href.startsWith('javascript')), []);
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  {
    name: 'conversation: stop keeps the partial text, and retry asks again',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor(long, { delayMs: 30 }));
      await waitForWords(page, 'word9');
      await page.getByRole('button', { name: 'Stop' }).click();
      await waitForStatus(page, 'stopped');
      const kept = await readProse(page);
      assert.ok(kept.length > 0 && long.startsWith(kept), `not a beginning: ${kept}`);
      await page.getByRole('button', { name: 'Retry' }).click();
      await waitForStatus(page, 'running');
      await waitForWords(page, 'word9');
      assert.equal(await page.locator('.turn .prose').count(), 1);
      await page.getByRole('button', { name: 'Stop' }).click();
      await waitForStatus(page, 'stopped');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'conversation: messages to a busy session queue, and a stop holds them until resumed',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor(long, { delayMs: 30 }));
      await waitForWords(page, 'word1');
      await send(page, askFor('the second answer'));
      await page.locator('.turn[data-status=queued]').getByText('Queued').waitFor();
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.getByText('One message is waiting.').waitFor();
      await page.locator('.notice').getByRole('button', { name: 'Resume' }).click();
      await waitForWords(page, 'the second answer');
      await waitForStatus(page, 'done');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'conversation: a failed turn says so in a sentence',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askForFailure);
      await waitForStatus(page, 'failed');
      assert.match(await page.locator('.failure').innerText(), /provider .*\./);
      await page.getByRole('button', { name: 'Retry' }).waitFor();
    },
  },
  {
    name: 'conversation: a reload in the middle of an answer goes on with it',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const text = numbered(150);
      await send(page, askFor(text, { delayMs: 20 }));
      await waitForWords(page, 'word9');
      await page.reload();
      await waitForConnection(page, 'connected');
      await waitForWords(page, 'word9');
      await waitForStatus(page, 'done');
      assert.equal(await readProse(page), text);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'conversation: the view follows the answer until the reader scrolls up',
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server, { viewport: { width: 700, height: 420 } });
      const page = await (await reader.signIn()).page();
      const paragraphs = long.replaceAll(' word', '\n\nword');
      await send(page, askFor(paragraphs, { delayMs: 15 }));
      await waitForWords(page, 'word101');
      const left = () => page.locator('.scroller').evaluate(
        (box) => box.scrollHeight - box.scrollTop - box.clientHeight,
      );
      assert.ok((await left()) < 40, 'the view did not follow');
      await page.locator('.scroller').hover();
      await page.mouse.wheel(0, -300);
      await page.getByRole('button', { name: 'Latest' }).waitFor();
      const before = await left();
      await waitForWords(page, 'word201');
      assert.ok((await left()) > before, 'the view was dragged along');
      await page.getByRole('button', { name: 'Latest' }).click();
      await until('the view is at the end', async () => (await left()) < 40);
      await page.getByRole('button', { name: 'Stop' }).click();
      await waitForStatus(page, 'stopped');
    },
  },
  {
    name: 'conversation: Shift+Enter makes a line, Enter of an input method sends nothing',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const box = page.getByRole('textbox', { name: 'Message' });
      await box.fill('one');
      await page.keyboard.press('Shift+Enter');
      await page.keyboard.type('two');
      assert.equal(await box.inputValue(), 'one\ntwo');
      await box.evaluate((area) => area.dispatchEvent(new KeyboardEvent('keydown', {
        key: 'Enter', isComposing: true, bubbles: true, cancelable: true,
      })));
      assert.equal(await box.inputValue(), 'one\ntwo');
      await page.keyboard.press('Enter');
      await waitForStatus(page, 'done');
      assert.equal(await page.locator('.bubble').textContent(), 'one\ntwo');
      assert.ok(sessionIdOf(page));
    },
  },
];
