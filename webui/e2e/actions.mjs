import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import {
  lastTurn, picture, proses, Reader, readProse, send, sessionIdOf, waitForStatus, waitForWords,
} from './browser.mjs';
import { askFor, numbered } from './rehearsal.mjs';
import { talk } from './talk.mjs';
import { until } from './wait.mjs';

const more = (turn) => turn.getByRole('button', { name: 'More actions' }).click();
const choose = (page, name) => page.getByRole('menuitem', { name, exact: true }).click();

export const actionTests = [
  {
    name: 'actions: an edited message is asked in a fork, and the chat it stood in stays',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first', 'the second', 'the third');
      const before = sessionIdOf(page);
      await page.locator('.turn').nth(1).getByRole('button', { name: 'Edit' }).click();
      const area = page.getByLabel('Edit the message');
      await area.fill(askFor('another second'));
      await picture(page, 'edit-message');
      await page.keyboard.press('Enter');
      await waitForWords(page, 'another second');
      await waitForStatus(page, 'done');
      assert.notEqual(sessionIdOf(page), before);
      assert.deepEqual(await proses(page), ['the first', 'another second']);
      await page.goBack();
      await waitForWords(page, 'the third');
      assert.equal(await page.locator('.turn').count(), 3);

      // The first message has nothing but the session's beginning before it.
      await page.locator('.turn').first().getByRole('button', { name: 'Edit' }).click();
      await page.getByLabel('Edit the message').fill(askFor('another first'));
      await page.getByRole('button', { name: 'Ask in a new chat' }).click();
      await waitForWords(page, 'another first');
      assert.equal(await page.locator('.turn .prose').count(), 1);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'actions: a fork has the past up to there, and goes its own way',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first', 'the second');
      const before = sessionIdOf(page);
      await more(page.locator('.turn').first());
      await choose(page, 'Fork from here');
      await page.getByText('a new chat with the same past').waitFor();
      await until('only the first is there', async () => (await page.locator('.turn').count()) === 1);
      await send(page, askFor('somewhere else'));
      await waitForWords(page, 'somewhere else');
      assert.notEqual(sessionIdOf(page), before);
      assert.equal((await server.api('sessions')).sessions.length, 2);

      await page.goBack();
      await waitForWords(page, 'the second');
      await more(page.locator('.turn').first());
      await choose(page, 'Retry in a new chat');
      await until('it is asked again', async () => sessionIdOf(page) !== before);
      await waitForWords(page, 'the first');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'actions: raw events are those of the turn, as the log has them',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first', 'the second');
      await more(lastTurn(page));
      await choose(page, 'Raw events');
      const dialog = page.getByRole('dialog', { name: 'Raw events' });
      await dialog.locator('summary', { hasText: 'message.assistant' }).waitFor();
      const types = await dialog.locator('summary strong').allTextContents();
      assert.equal(types[0], 'message.user');
      assert.equal(types.filter((type) => type === 'message.user').length, 1);
      await dialog.locator('summary').first().click();
      assert.match(await dialog.locator('pre').first().textContent(), /"turn_id"/);
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'actions: what was thought is folded, and unfolds',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await send(page, askFor('thought through', { thinking: 30 }));
      await waitForStatus(page, 'done');
      const words = page.locator('.thinking-text');
      assert.equal(await words.isVisible(), false);
      await page.getByText('Thought about it').click();
      assert.ok((await words.textContent()).split(' ').length > 20);
      assert.equal(await words.isVisible(), true);
      const thought = await words.textContent();
      // After a reload the words are read from the log when they are asked for, and only then.
      await page.reload();
      await waitForStatus(page, 'done');
      const asked = () => reader.urls.filter((url) => url.includes('types=llm.delta')).length;
      const before = asked();
      await page.route('**/events?*types=llm.delta*', (route) => route.abort(), { times: 1 });
      await page.getByText('Thought about it').click();
      await page.locator('.thinking').getByRole('button', { name: 'Try again' }).click();
      await until('the thoughts are there', async () => (await words.textContent()) === thought);
      await page.getByText('Thought about it').click();
      assert.equal(await words.isVisible(), false);
      await page.getByText('Thought about it').click();
      assert.equal(await words.textContent(), thought);
      assert.equal(asked(), before + 2);
      // Where the reader wants them open, so they are.
      await page.evaluate(() => localStorage.setItem('soma.appearance', JSON.stringify({ thinking: 'open' })));
      await page.reload();
      await until('they stand open', async () =>
        (await words.count()) === 1 && (await words.textContent()) === thought);
      await more(lastTurn(page));
      await choose(page, 'Raw events');
      await page.getByRole('dialog').getByText('Thought about it').click();
      assert.equal(await page.getByRole('dialog').locator('.thinking-text').textContent(), thought);
    },
  },
  {
    name: 'actions: code is coloured, wrapped and copied; formulas are drawn; prices are not',
    async run({ browser, server }) {
      const code = 'def f(x):\n    return x + 1  # ' + `${'a long comment '.repeat(20)}.`;
      const { reader, page } = await talk(browser, server,
        `\`\`\`python\n${code}\n\`\`\`\n\nFrom $5 to $6, and $a^2+b^2$ is\n\n$$\\frac{1}{2}$$\n`);
      await page.locator('.hljs-keyword', { hasText: 'def' }).waitFor();
      await page.locator('math mfrac').waitFor();
      assert.equal(await page.locator('.formula').count(), 2);
      assert.match(await readProse(page), /From \$5 to \$6/);
      const pre = page.locator('.code pre');
      const overflows = () => pre.evaluate((box) => box.scrollWidth > box.clientWidth);
      assert.equal(await overflows(), true);
      await page.getByRole('button', { name: 'Wrap' }).click();
      assert.equal(await overflows(), false);
      await reader.context.grantPermissions(['clipboard-read', 'clipboard-write']);
      await page.locator('.code').getByRole('button', { name: 'Copy' }).click();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
      await picture(page, 'code-and-math');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'actions: commands complete by keys, do what they say, and other text stays a message',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first');
      const box = page.getByRole('textbox', { name: 'Message' });
      await box.fill('/');
      await page.getByRole('option', { name: /^\/export/ }).waitFor();
      await picture(page, 'commands');
      await page.keyboard.type('ren');
      await page.keyboard.press('Tab');
      assert.equal(await box.inputValue(), '/rename ');
      await page.keyboard.type('Called by command');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Called by command' }).waitFor();

      await box.fill('/exp');
      await page.keyboard.press('Enter');
      await page.getByRole('option', { name: '/export markdown' }).waitFor();
      const coming = page.waitForEvent('download');
      await page.keyboard.press('Enter');
      const download = await coming;
      assert.equal(download.suggestedFilename(), 'Called-by-command.md');
      assert.match(await readFile(await download.path(), 'utf8'), /the first/);

      await box.fill('/con');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog', { name: 'Context window' }).waitFor();
      await page.keyboard.press('Escape');

      await send(page, '/unknown is no command');
      await page.locator('.bubble', { hasText: '/unknown is no command' }).waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'actions: a message that is too long is told of before it is sent',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first');
      const { limits } = await server.api('runtime-config');
      const box = page.getByRole('textbox', { name: 'Message' });
      await box.fill('x'.repeat(limits.message_chars_max + 2));
      await page.getByText('This message is 2 characters too long.').waitFor();
      assert.equal(await page.getByRole('button', { name: 'Send' }).isDisabled(), true);
      await box.fill('x');
      assert.equal(await page.getByRole('button', { name: 'Send' }).isDisabled(), false);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'actions: an answer is read aloud sentence by sentence, while it is written',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await reader.context.addInitScript(() => {
        globalThis.said = [];
        const speak = (utterance) => {
          if (globalThis.said.length === 0) {
            globalThis.saidWhile = [...document.querySelectorAll('.turn')].at(-1).dataset.status;
          }
          globalThis.said.push(utterance.text);
          setTimeout(() => utterance.onend?.());
        };
        Object.defineProperty(globalThis, 'speechSynthesis', { value: { speak, cancel() {} } });
      });
      const page = await reader.page();
      await send(page, askFor(`One is **bold**. ${numbered(3)}`));
      await waitForStatus(page, 'done');
      await page.getByRole('button', { name: 'Read aloud' }).click();
      await until('all is said', async () =>
        (await page.evaluate(() => globalThis.said)).join(' ').includes('漢字3'));
      assert.match((await page.evaluate(() => globalThis.said)).join(' '), /^One is bold\. word1/);
      await page.getByRole('button', { name: 'Read aloud' }).waitFor(); // and then it is over

      await page.evaluate(() => {
        globalThis.said = [];
        localStorage.setItem('soma.speech', JSON.stringify({ aloud: 'always' }));
        dispatchEvent(new StorageEvent('storage', { key: 'soma.speech' }));
      });
      await send(page, askFor('First sentence. Second sentence. The last', { delayMs: 60 }));
      await until('the first is said while more is written', async () =>
        (await page.evaluate(() => globalThis.said)).join(' ').startsWith('First sentence.'));
      assert.equal(await page.evaluate(() => globalThis.saidWhile), 'running');
      await waitForStatus(page, 'done');
      await until('all is said, once', async () =>
        (await page.evaluate(() => globalThis.said)).join(' ') === 'First sentence. Second sentence. The last');
      assert.deepEqual(reader.complaints, []);
    },
  },
];
