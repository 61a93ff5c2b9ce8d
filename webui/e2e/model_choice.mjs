import assert from 'node:assert/strict';
import { picture, Reader, send, waitForStatus } from './browser.mjs';
import { addProfile, card, field, fillNew, openModels, refused, save, saveAndTest } from './models_page.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

const choice = (page, name) => page.getByRole('radio', { name: `Answer chats with “${name}”` });

/** Which profile the newest chat was answered by. */
async function answeredBy(server) {
  const [{ session_id: id }] = (await server.api('sessions')).sessions;
  const { events } = await server.api(`sessions/${id}/events?compact=true&limit=50`);
  return events.findLast((event) => event.type === 'llm.request').payload.profile;
}

export const modelChoiceTests = [
  {
    name: 'models: one that was tested is used for chats when it is asked for, and another by its mark',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const dialog = await openModels(page);
      await fillNew(page, { name: 'second', address: server.providerOrigin, model: 'rehearsal' });
      await saveAndTest(page);
      await page.getByRole('button', { name: 'Use this for chats' }).click();
      await dialog.getByText('It answers chats.').waitFor();
      await picture(page, 'models-use-for-chats');
      await page.getByRole('button', { name: 'All models' }).click();
      assert.ok(await choice(page, 'second').isChecked());
      await picture(page, 'models-answers-chats');
      await page.keyboard.press('Escape');
      await send(page, askFor('one'));
      await waitForStatus(page, 'done');
      assert.equal(await answeredBy(server), 'second');

      await openModels(page);
      await choice(page, 'default').click();
      await until('default answers', () => choice(page, 'default').isChecked());
      assert.equal((await server.api('model-profiles/default')).source, 'configuration');
      await addProfile(server, 'third', { role: 'embed' });
      await card(page, 'third').waitFor();
      assert.equal(await choice(page, 'third').count(), 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'models: a profile is saved with its key, or not at all',
    server: { canEncrypt: false },
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await page.getByRole('button', { name: 'Set up a model' }).click();
      await page.getByRole('heading', { name: 'Edit “default”' }).waitFor();
      const before = await server.api('model-profiles/default');
      await page.getByRole('button', { name: 'OpenAI', exact: true }).click();
      await field(page, 'Model').fill('gpt');
      await field(page, 'API key').fill('sk-anything');
      await save(page);
      await page.getByText('This server cannot store keys').waitFor();
      await until('it is as it was', async () =>
        JSON.stringify(await server.api('model-profiles/default')) === JSON.stringify(before));
      await page.getByText('Rehearsal server, not a model').waitFor();
      // What was typed is still there, to be tried without the key.
      assert.equal(await field(page, 'Model').inputValue(), 'gpt');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Discard', exact: true }).click();

      await addProfile(server, 'second');
      const second = await server.api('model-profiles/second');
      await page.getByRole('button', { name: 'Edit “second”' }).click();
      await field(page, 'Model').fill('another');
      await field(page, 'API key').fill('sk-anything');
      await save(page);
      await page.getByText('This server cannot store keys').waitFor();
      await until('it is as it was', async () => (await server.api('model-profiles/second')).model === second.model);
      assert.deepEqual(reader.complaints.filter((text) => !refused(409, 422, 501, 503)(text)), []);
    },
  },
  {
    name: 'models: a quick start gives its name, keeps its place, and files the key under its address',
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server, { viewport: { width: 390, height: 844 } });
      const page = await (await reader.signIn()).page();
      await page.getByRole('button', { name: 'Show the chats' }).click();
      await openModels(page);
      await page.getByRole('button', { name: 'Add a profile' }).click();
      const inView = async (name) => {
        const box = await page.getByText(name, { exact: true }).first().boundingBox();
        return box !== null && box.y >= 0 && box.y < 844;
      };
      await page.getByRole('heading', { name: 'New profile' }).waitFor();
      assert.ok(await inView('New profile') && await inView('Quick start'), 'the form opens scrolled past its head');
      for (const [pick, name] of [['OpenAI', 'openai'], ['Ollama', 'ollama'], ['vLLM', 'vllm']]) {
        await page.getByRole('button', { name: pick, exact: true }).click();
        assert.equal(await field(page, 'Name').inputValue(), name);
        assert.ok(await inView('Quick start'), 'a quick start scrolls itself away');
      }
      await field(page, 'Name').fill('mine');
      await page.getByRole('button', { name: 'OpenAI', exact: true }).click();
      assert.equal(await field(page, 'Name').inputValue(), 'mine');
      await field(page, 'Base URL').fill('http://127.0.0.1:1234/v1');
      await field(page, 'Model').fill('m');
      const hint = page.locator('#secret-hint');
      await hint.getByText('For all profiles of 127.0.0.1-1234.').waitFor();
      await picture(page, 'models-phone-form');
    },
  },
  {
    name: 'models: a key goes to another address only when the reader says so',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      await server.api('llm/credentials/shared', { method: 'PUT', body: { secret: 'sk-of-the-first' } });
      await addProfile(server, 'first', { provider: 'shared', base_url: 'http://127.0.0.1:1/v1' });
      const page = await reader.page();
      await openModels(page);
      await fillNew(page, { name: 'second', address: 'http://127.0.0.1:2/v1', model: 'm' });
      await page.getByText('Limits, parameters, prices, fallbacks').click();
      await field(page, 'Provider').fill('shared');
      await save(page);
      await page.getByText('It is used at http://127.0.0.1:1/v1.').waitFor();
      await picture(page, 'models-share-key');
      await page.getByRole('button', { name: 'Keep editing' }).click();
      assert.equal((await server.api('model-profiles')).profiles.some(({ name }) => name === 'second'), false);
      await save(page);
      await page.getByRole('button', { name: 'Send it there, too' }).click();
      await card(page, 'second').waitFor();
      // Once agreed to, it is not asked again.
      await page.getByRole('button', { name: 'Edit “second”' }).click();
      await field(page, 'Model').fill('m2');
      await save(page);
      await card(page, 'second').getByText('m2').waitFor();
    },
  },
];
