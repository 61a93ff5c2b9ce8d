// The settings' Models tab. The second endpoint is the rehearsal server once more, by another name.
import assert from 'node:assert/strict';
import { picture, Reader, send, waitForStatus } from './browser.mjs';
import {
  addProfile, card, field, fillNew, openModels, refused, save, saveAndTest,
} from './models_page.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

export const modelTests = [
  {
    name: 'models: a profile is added, tested, mended by what the test says, and deleted',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const before = reader.urls.filter((url) => url.includes('settings_dialog'));
      assert.deepEqual(before, [], 'the settings are loaded before they are asked for');
      const dialog = await openModels(page);
      await card(page, 'default').getByText('answers chats').waitFor();
      await dialog.getByText(/^Today: 0 tokens/).waitFor();

      await fillNew(page, { name: 'second', address: 'http://127.0.0.1:1', model: 'rehearsal' });
      await saveAndTest(page);
      await dialog.getByText(/address cannot be reached: check base_url/).waitFor();
      await dialog.getByText('llm.unreachable').waitFor();
      // The address as the server keeps it.
      await until('the address is normal', async () =>
        (await field(page, 'Base URL').inputValue()) === 'http://127.0.0.1:1/v1');

      await field(page, 'Base URL').fill(`${server.providerOrigin}/v1/chat/completions`);
      await field(page, 'Model').fill('something else');
      await saveAndTest(page);
      await dialog.getByText(/^It works\. First word after \d+ ms, whole answer in/).waitFor();
      await dialog.getByRole('button', { name: 'rehearsal', exact: true }).click();
      assert.equal(await field(page, 'Model').inputValue(), 'rehearsal');
      assert.equal(await field(page, 'Base URL').inputValue(), `${server.providerOrigin}/v1`);
      await save(page);

      await card(page, 'second').getByRole('button', { name: /^Test/ }).click();
      await card(page, 'second').getByText('Testing…').waitFor();
      await card(page, 'second').getByText(/^It works\./).waitFor();
      await dialog.getByText(/^Today: [1-9][\d,]* tokens/).waitFor();

      const stored = await server.api('model-profiles/second');
      assert.deepEqual([stored.model, stored.provider, stored.kind],
        ['rehearsal', `127.0.0.1-${new URL(server.providerOrigin).port}`, 'openai_chat']);

      await card(page, 'second').getByRole('button', { name: /^Delete/ }).click();
      await page.getByRole('button', { name: 'Keep it' }).click();
      await card(page, 'second').getByRole('button', { name: /^Delete/ }).click();
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await card(page, 'second').waitFor({ state: 'detached' });
      assert.equal(await card(page, 'default').getByRole('button', { name: /^Delete/ }).count(), 0);
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  {
    name: 'models: from the rehearsal’s banner to another model, and the chat answers with it',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await page.getByRole('button', { name: 'Set up a model' }).click();
      await page.getByRole('heading', { name: 'Edit “default”' }).waitFor();
      await page.getByRole('button', { name: 'vLLM' }).click();
      assert.equal(await field(page, 'Base URL').inputValue(), 'http://localhost:8000/v1');
      assert.equal(await field(page, 'Kind of API').inputValue(), 'openai_chat');
      await field(page, 'Base URL').fill(server.providerOrigin);
      await field(page, 'Model').fill('as-good-as-real');
      await field(page, 'API key').fill('sk-anything');
      await save(page);
      await card(page, 'default').getByText('as-good-as-real').waitFor();
      await page.locator('.key[data-provider=vllm]').getByText(/A key is stored/).waitFor();
      await page.getByText('Rehearsal server, not a model').waitFor({ state: 'detached' });
      await page.keyboard.press('Escape');
      await page.locator('dialog.settings').waitFor({ state: 'detached' });
      await send(page, askFor('from the other one'));
      await waitForStatus(page, 'done');
      const [{ session_id }] = (await server.api('sessions')).sessions;
      const { events } = await server.api(`sessions/${session_id}/events?limit=50`);
      const asked = events.find((event) => event.type === 'llm.request');
      assert.equal(asked.payload.model, 'as-good-as-real');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'models: what is wrong is said at its field, by the page and by the server',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const dialog = await openModels(page);
      const problemOf = (name) => page.locator(`[data-field="${name}"] .field-problem`);
      await fillNew(page, { name: 'My Model', address: 'example.com', model: '' });
      await page.getByText('Limits, parameters, prices, fallbacks').click();
      await field(page, 'Temperature').fill('3');
      await page.getByText('Limits, parameters, prices, fallbacks').click();
      await save(page);
      await problemOf('name').getByText(/a to z/).waitFor();
      await problemOf('base_url').getByText(/begins with http/).waitFor();
      await problemOf('model').waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.id), 'field-name');
      assert.equal(await field(page, 'Name').getAttribute('aria-invalid'), 'true');

      await field(page, 'Name').fill('default');
      await field(page, 'Base URL').fill('http://example.com/v1?key=1');
      await field(page, 'Model').fill('m');
      assert.equal(await problemOf('name').count(), 0, 'a problem stays at what was mended');
      await save(page);
      // The fold opens for what is in it.
      await problemOf('parameters.temperature').getByText(/0 to 2/).waitFor();
      await field(page, 'Temperature').fill('');
      await save(page);
      await problemOf('base_url').getByText('A query or fragment is not allowed.').waitFor();
      await field(page, 'Base URL').fill('http://example.com/v1');
      await save(page);
      await problemOf('name').getByText(/of this name already/).waitFor();

      await page.keyboard.press('Escape');
      await page.getByRole('heading', { name: 'Discard your changes?' }).waitFor();
      await page.keyboard.press('Escape');
      assert.equal(await field(page, 'Name').inputValue(), 'default');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Discard' }).click();
      await dialog.getByRole('heading', { name: 'Profiles', exact: true }).waitFor();
      const others = reader.complaints.filter((text) => !refused(409, 422)(text));
      assert.deepEqual(others, []);
    },
  },
  {
    name: 'models: of two tabs that edit one profile, the second hears of the first',
    async run({ browser, server }) {
      await addProfile(server, 'second', { parameters: { stop: ['END'], extra: { seed: 1 } } });
      const reader = await (await Reader.open(browser, server)).signIn();
      const [first, other] = [await reader.page(), await reader.page()];
      for (const page of [first, other]) {
        await page.bringToFront();
        await openModels(page);
        await card(page, 'second').getByRole('button', { name: /^Edit/ }).click();
      }
      await first.bringToFront();
      await field(first, 'Model').fill('model-of-the-first');
      await save(first);
      await card(first, 'second').getByText('model-of-the-first').waitFor();

      await other.bringToFront();
      await field(other, 'Role').fill('summarize');
      await save(other);
      const conflict = other.getByRole('alert').filter({ hasText: 'was changed while you edited' });
      await conflict.getByText('Model: rehearsal is now model-of-the-first').waitFor();
      await picture(other, 'models-conflict');
      await other.getByRole('button', { name: 'Take theirs, drop mine' }).click();
      assert.equal(await field(other, 'Model').inputValue(), 'model-of-the-first');
      assert.equal(await field(other, 'Role').inputValue(), 'dialogue');

      await first.bringToFront();
      await card(first, 'second').getByRole('button', { name: /^Edit/ }).click();
      await field(first, 'Model').fill('again-of-the-first');
      await save(first);
      await card(first, 'second').getByText('again-of-the-first').waitFor();
      await other.bringToFront();
      await field(other, 'Role').fill('summarize');
      await save(other);
      await other.getByRole('button', { name: 'Save mine over it' }).click();
      // And the first tab's list follows without being asked.
      await card(first, 'second').getByText('summarize').waitFor();
      const stored = await server.api('model-profiles/second');
      assert.deepEqual([stored.role, stored.model], ['summarize', 'model-of-the-first']);
      assert.deepEqual(stored.parameters, { stop: ['END'], extra: { seed: 1 } });
      const others = reader.complaints.filter((text) => !refused(412)(text));
      assert.deepEqual(others, []);
    },
  },
  {
    name: 'models: by the keyboard alone, and the focus stays in the dialog',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const focused = () => page.evaluate(() => {
        const element = document.activeElement;
        return {
          name: element.ariaLabel ?? element.textContent, tag: element.localName,
          inside: element.closest('dialog') !== null,
        };
      });
      await page.getByRole('button', { name: 'Settings', exact: true }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Profiles', exact: true }).waitFor();
      const seen = new Set();
      for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab');
        const { name, tag, inside } = await focused();
        assert.ok(inside || tag === 'body', `the focus left the dialog for ${tag} ${name}`);
        seen.add(name);
      }
      for (const name of ['Models', 'Add a profile', 'Test “default”', 'Edit “default”']) {
        assert.ok(seen.has(name), `${name} cannot be reached: ${[...seen].join(' | ')}`);
      }
      await page.getByRole('button', { name: 'Edit “default”' }).focus();
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Edit “default”' }).waitFor();
      await until('the form has the focus', async () => (await focused()).tag === 'h3');
      await page.keyboard.press('Escape');
      await until('the focus is back', async () => (await focused()).name === 'Edit “default”');
      await page.keyboard.press('Escape');
      await page.locator('dialog.settings').waitFor({ state: 'detached' });
      assert.equal((await focused()).name, 'Settings');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'models: who is no admin sees no tab and no way to it',
    async run({ browser, server }) {
      const { key } = await server.api('keys', { method: 'POST', body: { name: 'u', role: 'user' } });
      const reader = await (await Reader.open(browser, server)).signIn(key);
      const page = await reader.page();
      await page.getByText('Rehearsal server, not a model').waitFor();
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Appearance' }).waitFor();
      assert.deepEqual(await page.getByRole('tab').allTextContents(), ['Appearance', 'Speech', 'About']);
      await page.keyboard.press('Escape');
      assert.equal(await page.getByRole('button', { name: 'Set up a model' }).count(), 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
];
