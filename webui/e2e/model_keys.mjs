import assert from 'node:assert/strict';
import { until } from './wait.mjs';
import { Reader, waitForConnection } from './browser.mjs';
import { addProfile, card, field, fillNew, openModels, refused, save } from './models_page.mjs';

export const modelKeyTests = [
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
      // What was open is open again.
      await page.getByRole('heading', { name: 'Profiles', exact: true }).waitFor();
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
      // Nothing was stored without its key; the form goes on with what was typed.
      await until('it is not there', async () =>
        !(await server.api('model-profiles')).profiles.some(({ name }) => name === 'second'));
      assert.equal(await field(page, 'Model').inputValue(), 'rehearsal');
      const others = reader.complaints.filter((text) => !refused(409)(text));
      assert.deepEqual(others, []);
    },
  },
];
