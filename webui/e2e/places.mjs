import assert from 'node:assert/strict';
import { Reader, sessionIdOf, waitForConnection, waitForWords } from './browser.mjs';
import { field, openModels } from './models_page.mjs';
import { talk } from './talk.mjs';
import { until } from './wait.mjs';

const dialog = (page, name) => page.getByRole('dialog', { name });
const gone = (where) => where.waitFor({ state: 'detached' });
const hash = (page) => new URL(page.url()).hash;

async function open(page, name) {
  await page.getByRole('button', { name: 'More about this chat' }).click();
  await page.getByRole('menuitem', { name, exact: true }).click();
}

export const placeTests = [
  {
    name: 'places: what is open has an address, Back closes it, and the chat behind stays',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first');
      const chat = sessionIdOf(page);
      await open(page, 'History');
      await dialog(page, 'History').getByText('the first', { exact: true }).waitFor();
      assert.equal(hash(page), `#s=${chat}&open=history`);
      await page.goBack();
      await gone(dialog(page, 'History'));
      assert.equal(hash(page), `#s=${chat}`);
      await waitForWords(page, 'the first');
      await page.goForward();
      await dialog(page, 'History').waitFor();

      // Closed by hand it leaves no step that does nothing.
      const steps = () => page.evaluate(() => history.length);
      await page.keyboard.press('Escape');
      await gone(dialog(page, 'History'));
      await until('the step is gone back', () => hash(page) === `#s=${chat}`);
      const before = await steps();
      await open(page, 'Context window');
      await dialog(page, 'Context window').waitFor();
      await page.keyboard.press('Escape');
      await gone(dialog(page, 'Context window'));
      assert.equal(await steps(), before);
      // Opened again at once, while that step back is under way.
      await open(page, 'Go back in time');
      await dialog(page, 'Go back in time').waitFor();
      assert.equal(hash(page), `#s=${chat}&open=travel`);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'places: a link opens a dialog and a setting, and one that is nobody’s the chat alone',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first');
      const chat = sessionIdOf(page);
      const other = await reader.page(`#s=${chat}&open=context`);
      await dialog(other, 'Context window').locator('.part').first().waitFor();
      await other.keyboard.press('Escape');
      await gone(dialog(other, 'Context window'));
      await until('the address is the chat’s', () => hash(other) === `#s=${chat}`);

      const settings = await reader.page('#new&open=about');
      await settings.getByRole('tab', { name: 'About', selected: true }).waitFor();
      await settings.getByRole('tab', { name: 'Speech' }).click();
      await until('it is in the address', () => hash(settings) === '#new&open=speech');

      const nowhere = await reader.page(`#s=${chat}&open=nothing`);
      await waitForWords(nowhere, 'the first');
      await until('it is out of the address', () => hash(nowhere) === `#s=${chat}`);
      assert.equal(await nowhere.locator('dialog[open]').count(), 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'places: Back asks, too, before a form is lost',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page('#new');
      await waitForConnection(page, 'connected');
      const settings = await openModels(page);
      await page.getByRole('button', { name: 'Edit “default”' }).click();
      await field(page, 'Model').fill('half typed');
      const question = page.getByRole('heading', { name: 'Discard your changes?' });
      for (const answer of ['Keep editing', 'Discard']) {
        await page.goBack();
        await question.waitFor();
        assert.equal(await field(page, 'Model').inputValue(), 'half typed');
        await page.getByRole('button', { name: answer, exact: true }).click();
      }
      await gone(settings);
      await until('the address is the chat’s', () => hash(page) === '#new');
    },
  },
];
