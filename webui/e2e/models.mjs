// The settings' Models tab. The second endpoint is the rehearsal server once more, by another name.
import assert from 'node:assert/strict';
import { picture, Reader, send, waitForConnection, waitForStatus } from './browser.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

// A refusal shows in the console, whatever the page makes of it.
const refused = (...statuses) => (text) =>
  statuses.some((status) => text.includes(`status of ${status} `));

async function openModels(page) {
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByRole('tab', { name: 'Models' }).waitFor();
  await page.getByRole('heading', { name: 'Profiles', exact: true }).waitFor();
  return page.locator('dialog.settings');
}

const card = (page, name) => page.locator(`[data-profile="${name}"]`);
const field = (page, name) => page.getByLabel(name, { exact: true });
const save = (page) => page.getByRole('button', { name: 'Save', exact: true }).click();
const saveAndTest = (page) => page.getByRole('button', { name: 'Save and test' }).click();

function addProfile(server, name, more = {}) {
  return server.api('model-profiles', {
    method: 'POST',
    body: { name, model: 'rehearsal', base_url: server.providerOrigin, provider: 'second', ...more },
  });
}

async function fillNew(page, { name, address, model }) {
  await page.getByRole('button', { name: 'Add a profile' }).click();
  await field(page, 'Name').fill(name);
  await field(page, 'Base URL').fill(address);
  await field(page, 'Model').fill(model);
}

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
        ['rehearsal', 'local', 'openai_chat']);

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
    name: 'models: a key goes to the server once, and nothing shows it again',
    async run({ browser, server }) {
      const secret = 'sk-planted-4f1d9c77e2';
      const reader = await (await Reader.open(browser, server)).signIn();
      const sent = [];
      const answers = [];
      reader.context.on('request', (request) => {
        const whole = request.url() + JSON.stringify(request.headers()) + (request.postData() ?? '');
        if (whole.includes(secret)) sent.push(`${request.method()} ${new URL(request.url()).pathname}`);
      });
      reader.context.on('response', (response) => {
        if (!response.url().endsWith('/events')) answers.push(response.text().catch(() => ''));
      });
      const shows = (page) => page.evaluate((secret) => [
        document.documentElement.outerHTML,
        ...[...document.querySelectorAll('input, textarea')].map((input) => input.value),
        JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), location.href,
      ].filter((text) => text.includes(secret)), secret);

      await addProfile(server, 'second');
      const page = await reader.page();
      await openModels(page);
      const row = page.locator('.key[data-provider=second]');
      await row.getByText('No key is stored.').waitFor();
      await row.getByRole('button', { name: 'Add the key of second' }).click();
      const input = field(page, 'Key of second');
      assert.equal(await input.getAttribute('type'), 'password');
      assert.equal(await input.getAttribute('autocomplete'), 'off');
      await input.fill('with a space');
      await page.keyboard.press('Enter');
      await row.getByText('A key has no spaces').waitFor();
      await input.fill(secret);
      await page.keyboard.press('Enter');
      await row.getByText(/^A key is stored: fingerprint [0-9a-f]{12}, since \d+ \w+ \d{4}\.$/)
        .waitFor();
      assert.deepEqual(await shows(page), []);

      await card(page, 'second').getByRole('button', { name: /^Edit/ }).click();
      await page.locator('#secret-hint').getByText(/A key is stored/).waitFor();
      assert.equal(await field(page, 'API key').inputValue(), '');
      await page.keyboard.press('Escape');
      await page.reload();
      await waitForConnection(page, 'connected');
      await openModels(page);
      await row.getByText(/A key is stored/).waitFor();
      assert.deepEqual(await shows(page), []);
      assert.deepEqual(sent, ['PUT /v1/llm/credentials/second']);
      const told = (await Promise.all(answers)).filter((text) => text.includes(secret));
      assert.deepEqual(told, []);

      await row.getByRole('button', { name: 'Replace the key of second' }).click();
      await field(page, 'Key of second').fill('sk-another');
      await page.keyboard.press('Escape');
      assert.equal(await field(page, 'Key of second').count(), 0);
      await row.getByRole('button', { name: 'Remove the key of second' }).click();
      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await row.getByText('No key is stored.').waitFor();
      assert.deepEqual((await server.api('llm/credentials')).credentials, []);
      const others = reader.complaints.filter((text) => !refused(422)(text));
      assert.deepEqual(others, []);
    },
  },
  {
    name: 'models: a server that cannot encrypt says so at the key',
    server: { canEncrypt: false },
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      await openModels(page);
      await page.getByRole('button', { name: 'Add the key of local' }).click();
      await field(page, 'Key of local').fill('sk-nowhere');
      await page.keyboard.press('Enter');
      await page.getByText(/start it with GATEWAY_ENC_KEY/).waitFor();

      await page.keyboard.press('Escape');
      await fillNew(page, {
        name: 'second', address: server.providerOrigin, model: 'rehearsal',
      });
      await field(page, 'API key').fill('sk-nowhere');
      await save(page);
      await page.locator('[data-field=secret]').getByText(/GATEWAY_ENC_KEY/).waitFor();
      // The profile itself is stored; the form goes on with it.
      await page.getByRole('heading', { name: 'Edit “second”' }).waitFor();
      const others = reader.complaints.filter((text) => !refused(409)(text));
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
      assert.equal(await page.getByRole('button', { name: 'Settings', exact: true }).count(), 0);
      assert.equal(await page.getByRole('button', { name: 'Set up a model' }).count(), 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
  ...['light', 'dark'].flatMap((colorScheme) => [[360, 740], [1440, 900]].map(([width, height]) => ({
    name: `models: nothing overflows at ${width} px, ${colorScheme}`,
    async run({ browser, server }) {
      const small = width < 500;
      const reader = await Reader.open(browser, server, {
        viewport: { width, height }, colorScheme, isMobile: small, hasTouch: small,
      });
      await addProfile(server, 'a-name-as-long-as-names-of-profiles-may-be-with-sixty-four-chars', {
        model: 'organisation/a-model-with-quite-a-long-name-70b-instruct-awq', enabled: false,
      });
      await addProfile(server, 'fast', {
        base_url: 'http://127.0.0.1:1/v1', fallbacks: ['default'], role: 'summarize',
      });
      await server.api('llm/credentials/second', { method: 'PUT', body: { secret: 'sk-x' } });
      const page = await (await reader.signIn()).page();
      await waitForConnection(page, 'connected');
      if (small) await page.getByRole('button', { name: 'Show the chats' }).click();
      await openModels(page);
      await look(page, `models-${width}-${colorScheme}-list`);
      await card(page, 'default').getByRole('button', { name: /^Test/ }).click();
      await card(page, 'fast').getByRole('button', { name: /^Test/ }).click();
      await card(page, 'default').getByText('It works').waitFor();
      await card(page, 'fast').getByText('cannot be reached').waitFor();
      await look(page, `models-${width}-${colorScheme}-tested`);
      await page.getByRole('button', { name: 'Replace the key of second' }).click();
      await look(page, `models-${width}-${colorScheme}-key`);
      await page.keyboard.press('Escape');
      await card(page, 'fast').getByRole('button', { name: /^Delete/ }).click();
      await look(page, `models-${width}-${colorScheme}-delete`);
      await page.keyboard.press('Escape');
      await card(page, 'fast').getByRole('button', { name: /^Edit/ }).click();
      await look(page, `models-${width}-${colorScheme}-edit`);
      await page.getByRole('button', { name: 'Ollama' }).click();
      await field(page, 'Base URL').fill('no address');
      await page.getByText('Limits, parameters, prices, fallbacks').click();
      await save(page);
      await page.locator('.field-problem').first().waitFor();
      await look(page, `models-${width}-${colorScheme}-wrong`);
      await page.locator('.more-fields').scrollIntoViewIfNeeded();
      await page.locator('.prices').scrollIntoViewIfNeeded();
      await look(page, `models-${width}-${colorScheme}-more`);
      const nameless = await page.locator('dialog :is(button, input, select)').evaluateAll(
        (controls) => controls.filter((control) => control.checkVisibility() &&
          !(control.textContent.trim() || control.ariaLabel || control.labels?.length))
          .map((control) => control.outerHTML));
      assert.deepEqual(nameless, [], 'controls without a name');
      assert.deepEqual(reader.complaints, []);
    },
  }))),
];

async function look(page, name) {
  await picture(page, name);
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    const out = root.scrollWidth > root.clientWidth ? ['the page'] : [];
    for (const dialog of document.querySelectorAll('dialog')) {
      const { left, right } = dialog.getBoundingClientRect();
      for (const box of [dialog, ...dialog.querySelectorAll('*')]) {
        if (!box.checkVisibility()) continue;
        const at = box.getBoundingClientRect();
        const scrolls = getComputedStyle(box).overflowX !== 'visible';
        if (at.left < left || at.right > right || (scrolls && box.scrollWidth > box.clientWidth)) {
          out.push(`${box.localName}.${box.className}`);
        }
      }
    }
    return out.filter((name) => !/^(input|select|option|p.unseen)/.test(name));
  });
  assert.deepEqual(wide, [], `${name}: wider than its room`);
}
