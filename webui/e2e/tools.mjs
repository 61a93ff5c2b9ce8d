import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { picture, Reader, send, waitForConnection, waitForStatus } from './browser.mjs';
import { askFor, askForTool } from './rehearsal.mjs';
import { until } from './wait.mjs';

const needs = 'tools';

async function start(browser, server, options) {
  const reader = await (await Reader.open(browser, server, options)).signIn();
  const page = await reader.page();
  await waitForConnection(page, 'connected');
  return { reader, page };
}

const cardOf = (page, name) => page.locator('.tool', { hasText: name }).last();

export const toolTests = [
  {
    name: 'tools: a card is folded when it is done, and shows what was asked and what came of it',
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server);
      await send(page, askForTool('calculator', { expression: '6*7' }));
      await waitForStatus(page, 'done');
      const card = cardOf(page, 'calculator');
      await card.getByText(/^done/).waitFor();
      const result = card.locator('pre', { hasText: '42' });
      assert.equal(await result.isVisible(), false);
      await card.locator('summary').click();
      await result.waitFor();
      assert.match(await card.locator('pre').first().textContent(), /"6\*7"/);
      await page.reload();
      await cardOf(page, 'calculator').getByText(/^done/).waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
  ...[[360, 740, 'light'], [1440, 900, 'dark']].map(([width, height, colorScheme]) => ({
    name: `tools: one is run by hand from a form of its schema, at ${width} px, ${colorScheme}`,
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server, { viewport: { width, height }, colorScheme });
      await send(page, askFor('Here.'));
      await waitForStatus(page, 'done');
      await page.getByRole('textbox', { name: 'Message' }).fill('/tool ');
      await page.getByRole('option', { name: '/tool calculator' }).click();
      const dialog = page.getByRole('dialog', { name: 'Run a tool' });
      await dialog.getByLabel(/expression/i).fill('2^10');
      await picture(page, `tools-form-${width}-${colorScheme}`);
      await assertAccessible(page, 'tool form');
      await dialog.getByRole('button', { name: 'Run' }).click();
      await dialog.waitFor({ state: 'detached' });
      const card = cardOf(page, 'calculator');
      await card.getByText(/^done/).waitFor();
      await card.locator('summary').click();
      await card.locator('pre', { hasText: '1024' }).waitFor();
      await picture(page, `tools-card-${width}-${colorScheme}`);
      await assertAccessible(page, 'tool card');
      assert.deepEqual(reader.complaints, []);
    },
  })),
  {
    name: 'tools: output comes while it runs, and one call is stopped',
    needs: 'sandbox',
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server);
      const code = 'import time\nfor i in range(600):\n    print("line", i, flush=True)\n    time.sleep(0.1)\n';
      await send(page, askForTool('code_execute', { language: 'python', code }));
      const card = cardOf(page, 'code execute');
      await card.locator('pre', { hasText: 'line 3' }).waitFor();
      await picture(page, 'tools-live');
      await card.getByRole('button', { name: 'Stop this call' }).click();
      await card.getByText(/^stopped/).waitFor();
      await until('the turn is over', async () =>
        (await page.locator('.turn[data-status=running]').count()) === 0);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'tools: a file that was attached is read by the agent, and what it read can be opened',
    needs: 'sandbox',
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server);
      await page.getByLabel('Choose files').setInputFiles({
        name: 'report.txt', mimeType: 'text/plain', buffer: Buffer.from('The turnover was 4,711 crowns.'),
      });
      await page.locator('.upload[data-phase=done]').waitFor();
      await send(page, askFor('I have it.'));
      await waitForStatus(page, 'done');
      const href = await page.locator('.attached').getAttribute('href');
      await send(page, askForTool('document_ingest', { attachment_id: href.split('/').at(-1) }));
      const card = cardOf(page, 'document ingest');
      await card.getByText(/^done/).waitFor();
      // While the answer grows the card moves from under the pointer.
      await until('both are answered', async () => (await page.locator('.turn[data-status=done]').count()) === 2);
      await card.locator('summary').click();
      await card.locator('pre', { hasText: 'The turnover was 4,711 crowns.' }).waitFor();
      await card.getByRole('link').first().waitFor();
      await picture(page, 'tools-ingest');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'tools: limits and switch are kept, and a call that is denied says so on its card',
    needs,
    async run({ browser, server }) {
      const { reader, page } = await start(browser, server);
      await send(page, askFor('Here.'));
      await waitForStatus(page, 'done');
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Tools' }).click();
      const entry = page.locator('[data-tool=calculator]');
      await entry.getByRole('checkbox').waitFor();
      await picture(page, 'tools-settings');
      await assertAccessible(page, 'settings of tools');
      await entry.locator('summary').click();
      await entry.getByLabel('Time, ms').fill('1500');
      await entry.getByRole('button', { name: 'Save' }).click();
      const stored = () => server.api('tool-catalog').then(
        ({ tools }) => tools.find(({ id }) => id === 'calculator'));
      await until('the limit is kept', async () => (await stored()).limits.timeout_ms === 1500);
      await entry.getByRole('checkbox').uncheck();
      await until('it is off', async () => !(await stored()).enabled);
      assert.equal((await stored()).limits.timeout_ms, 1500);
      await page.keyboard.press('Escape');
      await entry.waitFor({ state: 'detached' });
      assert.equal((await server.api('tools')).tools.some(({ id }) => id === 'calculator'), false);
      // The rule that no address of the inside is fetched holds for every tool of the network.
      await send(page, askForTool('http_fetch', { url: 'http://127.0.0.1:1/' }));
      const card = cardOf(page, 'http fetch');
      await card.getByText(/^not allowed/).waitFor();
      // Open by itself: it did not work.
      await card.getByText('Denied', { exact: true }).waitFor();
      await picture(page, 'tools-denied');
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'tools: those of MCP servers stand together, and what is off is found and switched on',
    needs: 'tools',
    async run({ browser, server }) {
      const reader = await (await Reader.open(browser, server)).signIn();
      const page = await reader.page();
      const tool = (id, executor, enabled) => ({
        id, title: '', description: `What ${id} does.`, executor, enabled, inputs: { type: 'object' },
        limits: { timeout_ms: 1000 }, egress: [],
      });
      const tools = [
        tool('calculator', 'builtin', true), tool('mcp.weather.forecast', 'mcp', false),
        tool('mcp.weather.past.days', 'mcp', false), tool('mcp.git.log', 'mcp', true),
      ];
      await page.route('**/v1/tool-catalog', (route) => route.fulfill({ json: { tools } }));
      await page.route('**/v1/tool-catalog/*', (route, request) => {
        const at = tools.findIndex(({ id }) => request.url().endsWith(`/${id}`));
        tools[at] = { ...tools[at], ...request.postDataJSON() };
        return route.fulfill({ json: tools[at] });
      });
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Tools' }).click();
      const panel = page.getByRole('tabpanel');
      await panel.getByRole('region', { name: 'weather' }).waitFor();
      assert.deepEqual(await panel.locator('.tool-group-head h4').allTextContents(),
        ['This server’s own', 'git', 'weather']);
      const weather = panel.getByRole('region', { name: 'weather' });
      assert.deepEqual(await weather.locator('.profile h4').allTextContents(), ['forecast', 'past.days']);
      await picture(page, 'tools-mcp');
      await assertAccessible(page, 'tools of MCP servers');
      await panel.getByRole('radio', { name: 'Off' }).check();
      assert.deepEqual(await panel.locator('.profile h4').allTextContents(), ['forecast', 'past.days']);
      await panel.locator('[data-tool="mcp.weather.forecast"]').getByRole('checkbox').click();
      await until('it is among the others', async () =>
        (await panel.locator('.profile h4').allTextContents()).join() === 'past.days');
      await panel.getByRole('radio', { name: 'All' }).check();
      await weather.getByText('1 of 2 on').waitFor();
      await weather.getByRole('button', { name: 'Switch all on' }).click();
      await weather.getByText('2 of 2 on').waitFor();
      await weather.getByRole('button', { name: 'Switch all off' }).click();
      await weather.getByText('0 of 2 on').waitFor();
      assert.deepEqual(tools.map(({ enabled }) => enabled), [true, false, false, true]);
      await panel.getByRole('searchbox', { name: 'Find a tool' }).fill('PAST');
      assert.deepEqual(await panel.locator('.profile h4').allTextContents(), ['past.days']);
      await panel.getByRole('searchbox', { name: 'Find a tool' }).fill('no such');
      await panel.getByText('No tool fits.').waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
];
