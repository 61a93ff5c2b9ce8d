import assert from 'node:assert/strict';
import { picture, Reader, send, waitForConnection, waitForStatus } from './browser.mjs';
import { askFor, numbered } from './rehearsal.mjs';
import { until } from './wait.mjs';

const box = (page) => page.getByRole('textbox', { name: 'Message' });

/** What can be hit though it cannot be seen: by opacity, by size, or under something clear. */
const hiddenTargets = () => {
  const opacityOf = (element) => {
    let opacity = 1;
    for (let one = element; one; one = one.parentElement) opacity *= Number(getComputedStyle(one).opacity);
    return opacity;
  };
  const found = [];
  for (const control of document.querySelectorAll('a, button, summary, input, select, textarea, [role=button], [tabindex]')) {
    const { left, right, top, bottom, width, height } = control.getBoundingClientRect();
    const isSeen = opacityOf(control) > 0.3 && width >= 12 && height >= 12;
    // Its label is what is seen of it.
    if (isSeen || control.labels?.length) continue;
    for (let x = Math.floor(left); x <= Math.ceil(right); x++) {
      const y = (top + bottom) / 2;
      const hit = document.elementFromPoint(x, y);
      if (hit && control.contains(hit)) {
        found.push(`${control.outerHTML.slice(0, 120)} at ${x},${Math.round(y)}`);
        break;
      }
    }
  }
  return found;
};

export const fingerTests = [
  {
    name: 'fingers: nothing that is not seen takes a tap, and a row opens wherever it is touched',
    async run({ browser, server }) {
      for (const message of ['one', 'two', 'three']) await server.api('session/message', { method: 'POST', body: { message } });
      const reader = await Reader.open(browser, server, {
        viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true,
      });
      const page = await (await reader.signIn()).page('#new');
      await waitForConnection(page, 'connected');
      assert.deepEqual(await page.evaluate(hiddenTargets), [], 'in a new chat');
      await page.getByRole('button', { name: 'Show the chats' }).click();
      await page.locator('.row').nth(2).waitFor();
      assert.deepEqual(await page.evaluate(hiddenTargets), [], 'in the list');
      // Every spot of a row's right end.
      const row = page.locator('.row', { hasText: 'two' });
      const { x, y, width, height } = await row.boundingBox();
      const hits = await page.evaluate(([from, to, at]) => {
        const names = new Set();
        for (let one = from; one < to; one += 0.5) names.add(document.elementFromPoint(one, at)?.closest('a, button')?.tagName);
        return [...names];
      }, [x + width / 2, x + width, y + height / 2]);
      assert.ok(!hits.includes('BUTTON'), `a hidden button at the end of a row: ${hits}`);
      await page.touchscreen.tap(x + width - 4, y + height / 2);
      await page.getByRole('heading', { name: 'two' }).waitFor();
      assert.equal(await page.locator('.toast').count(), 0);
      await waitForStatus(page, 'done');
      assert.deepEqual(await page.evaluate(hiddenTargets), [], 'in a chat');
      await page.getByRole('button', { name: 'Show the chats' }).click();
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      for (const tab of ['Models', 'Tools', 'Keys', 'Appearance', 'Speech', 'About']) {
        await page.getByRole('tab', { name: tab }).click();
        await page.locator('.settings-panel .skeleton').waitFor({ state: 'detached' });
        assert.deepEqual(await page.evaluate(hiddenTargets), [], `in the settings: ${tab}`);
      }
    },
  },
  {
    name: 'fingers: Enter is a new line where a finger writes, and sends where there is a keyboard',
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server, {
        viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true,
      });
      const page = await (await reader.signIn()).page();
      await waitForConnection(page, 'connected');
      assert.equal(await box(page).getAttribute('enterkeyhint'), 'enter');
      await box(page).click();
      await page.keyboard.type('line one');
      await page.keyboard.press('Enter');
      await page.keyboard.type('line two');
      assert.equal(await box(page).inputValue(), 'line one\nline two');
      await page.keyboard.press('Control+Enter');
      await page.locator('.bubble', { hasText: 'line two' }).waitFor();
      await until('it is one message', async () => (await page.locator('.bubble').count()) === 1);

      const atDesk = await (await (await Reader.open(browser, server)).signIn()).page('#new');
      assert.equal(await box(atDesk).getAttribute('enterkeyhint'), 'send');
      await send(atDesk, 'by the keyboard');
      await atDesk.locator('.bubble', { hasText: 'by the keyboard' }).waitFor();
    },
  },
  {
    name: 'fingers: Stop clicked twice starts nothing, and the focus goes to the message',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor(numbered(400), { delayMs: 20 }));
      const stop = page.getByRole('button', { name: 'Stop', exact: true });
      await stop.waitFor();
      const { x, y, width, height } = await stop.boundingBox();
      await page.mouse.dblclick(x + width / 2, y + height / 2);
      await stop.waitFor({ state: 'detached' });
      await page.mouse.click(x + width / 2, y + height / 2);
      assert.equal(await page.locator('dialog[open]').count(), 0);
      assert.equal(await page.locator('.dictate[aria-pressed=true]').count(), 0);
      await send(page, askFor(numbered(400), { delayMs: 20 }));
      await stop.waitFor();
      await stop.focus();
      await page.keyboard.press('Enter');
      await stop.waitFor({ state: 'detached' });
      await until('the message has the focus', () => box(page).evaluate((area) => document.activeElement === area));
    },
  },
  {
    name: 'fingers: what scrolls to an answer does not push the page out of the window',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor(numbered(1500), { delayMs: 0 }));
      await waitForStatus(page, 'done');
      const pushed = await page.evaluate(() => {
        for (const element of document.querySelectorAll('.unseen, .prose, .turn')) {
          element.scrollIntoView({ block: 'center' });
          if (document.documentElement.scrollTop !== 0 || document.body.scrollTop !== 0) return element.outerHTML.slice(0, 80);
        }
        const root = document.documentElement;
        return root.scrollHeight > root.clientHeight ? `${root.scrollHeight} px` : '';
      });
      assert.equal(pushed, '');
    },
  },
  {
    name: 'fingers: what is written from right to left begins at the right, and titles keep their beginning',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server, { viewport: { width: 390, height: 844 } })).signIn();
      const title = 'ما هي الأخبار السارة التي يمكن أن نكتب عنها اليوم؟ اكتب قصة طويلة جدا';
      const { session_id: id } = await server.api('session/message', { method: 'POST', body: { message: title } });
      const page = await reader.page(`#s=${id}`);
      await waitForStatus(page, 'done');
      await send(page, askFor('الجواب:\n\n1. أولا\n2. ثانيا\n\nEnglish stays left.'));
      await until('both are answered', async () => (await page.locator('.turn[data-status=done]').count()) === 2);
      const directions = await page.locator('.turn').last().locator('.prose .block').evaluateAll((blocks) =>
        blocks.map((block) => getComputedStyle(block.firstElementChild ?? block).direction));
      assert.deepEqual(directions, ['rtl', 'rtl', 'ltr']);
      assert.equal(await page.locator('.bubble').first().evaluate((bubble) => getComputedStyle(bubble).direction), 'rtl');
      assert.equal(await page.getByRole('heading', { level: 1 }).evaluate((head) => getComputedStyle(head).direction), 'rtl');
      await picture(page, 'rtl-chat');
      await page.getByRole('button', { name: 'Show the chats' }).click();
      const row = page.locator('.row a').first();
      await row.waitFor();
      assert.equal(await row.evaluate((link) => getComputedStyle(link).direction), 'rtl');
      await picture(page, 'rtl-list');
    },
  },
];
