import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { picture, Reader, waitForConnection, waitForStatus } from './browser.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

/** A page whose browser hears what the test says; `local` is what it says of doing so alone. */
async function open(browser, server, { local = null, options = {} } = {}) {
  const reader = await (await Reader.open(browser, server, options)).signIn();
  await reader.context.addInitScript((local) => {
    class Fake {
      static available = local === null ? undefined : async () => local;
      start() { globalThis.hearing = this; }
      stop() { this.onend?.(); }
      abort() { this.onerror?.({ error: 'aborted' }); this.onend?.(); }
    }
    if (local !== null) Fake.prototype.processLocally = false;
    globalThis.SpeechRecognition = globalThis.webkitSpeechRecognition = Fake;
  }, local);
  const page = await reader.page();
  await waitForConnection(page, 'connected');
  return { reader, page };
}

const hear = (page, ...words) => page.evaluate((words) => globalThis.hearing.onresult({
  results: words.map((transcript) => Object.assign([{ transcript }], { isFinal: true })),
}), words);

const fail = (page, error) => page.evaluate((error) => {
  globalThis.hearing.onerror({ error });
  globalThis.hearing.onend();
}, error);

const box = (page) => page.getByRole('textbox', { name: 'Message' });
const mic = (page) => page.getByRole('button', { name: 'Dictate' });
const valueIs = (page, text) =>
  until(`the text is ${text}`, async () => (await box(page).inputValue()) === text);
const over = (page) => mic(page).waitFor();

export const dictationTests = [
  {
    name: 'dictation: where the device can do it alone, it writes at the caret, without a question',
    async run({ browser, server }) {
      const { reader, page } = await open(browser, server, { local: 'available' });
      await box(page).fill('Say now');
      await box(page).evaluate((area) => area.setSelectionRange(3, 3));
      await mic(page).click();
      await page.getByText('Listening…').waitFor();
      assert.equal(await page.evaluate(() => globalThis.hearing.processLocally), true);
      await hear(page, 'hel');
      await valueIs(page, 'Say hel now');
      await hear(page, 'hello', 'you');
      await valueIs(page, 'Say hello you now');
      await picture(page, 'dictation');
      await assertAccessible(page, 'dictation');
      // What is typed meanwhile stays, and more goes in behind it.
      await box(page).pressSequentially('!');
      await hear(page, 'hello', 'you', 'and more');
      await valueIs(page, 'Say hello you! and more now');
      await page.keyboard.press('Escape');
      await over(page);
      assert.equal(await box(page).inputValue(), 'Say hello you! and more now');

      await box(page).fill('');
      await mic(page).click();
      await page.getByText('Listening…').waitFor();
      await hear(page, askFor('heard'));
      await page.keyboard.press('Enter');
      await waitForStatus(page, 'done');
      await over(page);
      assert.equal(await box(page).inputValue(), '');
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  {
    name: 'dictation: where the browser’s maker would listen, it is off until the settings allow it',
    async run({ browser, server }) {
      const { reader, page } = await open(browser, server, { local: 'unavailable' });
      await mic(page).click();
      await page.getByText('heard by the company that makes your browser').waitFor();
      assert.equal(await page.evaluate(() => globalThis.hearing), undefined);
      await picture(page, 'settings-speech');
      await assertAccessible(page, 'settings of speech');
      await page.getByLabel('Let the browser’s maker listen').check();
      await page.getByLabel('Language you speak').selectOption('de-DE');
      await page.getByRole('button', { name: 'Close the settings' }).click();
      // Closing is a step back, which the browser takes in its own time; a reload would run into it.
      await until('the step back is taken', () => !page.url().includes('open='));
      await page.reload(); // and that is kept
      await waitForConnection(page, 'connected');
      await mic(page).click();
      await page.getByText('Listening…').waitFor();
      assert.deepEqual(await page.evaluate(() => [globalThis.hearing.lang, globalThis.hearing.processLocally]),
        ['de-DE', false]);
      await hear(page, 'guten Tag');
      await valueIs(page, 'guten Tag');
      await page.getByRole('button', { name: 'Stop dictating' }).click();
      await over(page);
      for (const [error, sentence] of [
        ['not-allowed', 'The browser does not let this page use the microphone.'],
        ['language-not-supported', 'does not understand the language de-DE.'],
        ['something-new', 'the browser does not say why.'],
      ]) {
        await mic(page).click();
        await page.getByText('Listening…').waitFor();
        await fail(page, error);
        await page.locator('.toast.bad', { hasText: sentence }).waitFor();
        await over(page);
      }
      assert.equal(await box(page).inputValue(), 'guten Tag');
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  {
    name: 'dictation: without it in the browser there is no button, and the settings say so',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await reader.context.addInitScript(() => {
        globalThis.SpeechRecognition = globalThis.webkitSpeechRecognition = undefined;
      });
      const page = await reader.page();
      await waitForConnection(page, 'connected');
      assert.equal(await mic(page).count(), 0);
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Speech' }).click();
      await page.getByText('This browser has no dictation.').waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
];
