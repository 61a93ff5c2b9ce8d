// Every view at both widths, light and dark: looked at by axe, measured, and kept as a picture.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { assertAccessible } from './axe.mjs';
import { picture, Reader, waitForConnection, waitForWords } from './browser.mjs';
import { importEvents, makeSessions } from './sessions.mjs';

const answer = `The sum is **399.33**, since $17\\,\\% \\cdot 2349 = 399.33$.

$$\\sum_{i=1}^{4} q_i = \\frac{a^2 + b^2}{2}$$

| Quarter | Orders | Share |
|:--|--:|--:|
| First | 512 | 21.8 % |
| Second | 604 | 25.7 % |

\`\`\`ts
export const share = (part: number, whole: number): string =>
  \`\${((100 * part) / whole).toFixed(1)} %\`; // one digit after the point
\`\`\`
`;

/** A talk with everything a transcript can hold. */
async function importTalk(server) {
  const session_id = randomUUID();
  const events = [];
  const add = (type, payload) => events.push({
    version: 'v1',
    meta: {
      event_id: `1.${events.length + 1}`, tenant_id: 'default', user_id: 'admin', session_id,
      created_at: '2026-01-02T03:04:05.678Z',
    },
    type, payload,
  });
  const turn = (text) => {
    const turn_id = randomUUID();
    add('message.user', { message_id: turn_id, turn_id, text, attachments: [] });
    return turn_id;
  };
  const model = (turn_id, text, final, tool_calls = [], thinking = '') => {
    const message_id = randomUUID();
    const invocation_id = randomUUID();
    add('llm.request', {
      invocation_id, message_id, turn_id, profile: 'default', model: 'rehearsal', provider: 'x',
      attempt: 1, step: 1, persona_version: '', context: { turns: 1 }, prompt_tokens_estimate: 9,
    });
    if (thinking) add('llm.delta', { message_id, turn_id, offset: 0, thinking });
    add('message.assistant', { message_id, turn_id, text, tool_calls, final });
    add('llm.complete', {
      invocation_id, message_id, turn_id, finish_reason: tool_calls.length ? 'tool_calls' : 'stop',
      usage: { prompt_tokens: 9, completion_tokens: 9 }, latency_ms: 10, first_token_ms: 5,
    });
    return message_id;
  };
  const call = (turn_id, tool_id, inputs, result) => {
    const tool_call_id = randomUUID();
    const message_id = model(turn_id, '', false, [{ tool_call_id, tool_id, inputs }]);
    add('tool.call', { tool_call_id, message_id, turn_id, tool_id, inputs, requested_by: 'model' });
    if (result.progress) {
      add('tool.progress', { tool_call_id, turn_id, stream: 'stdout', text: result.progress });
    }
    const { progress: _, ...rest } = result;
    add('tool.result', { tool_call_id, turn_id, duration_ms: 1234, ...rest });
  };
  add('session.open', { persona_id: '', title: 'Everything a talk can hold' });
  const first = turn('What is 17 % of 2,349, and does it add up?');
  call(first, 'calculator', { expression: '2349 * 0.17' }, {
    status: 'success', output: { result: 399.33 },
  });
  call(first, 'code_execute', { language: 'python', code: 'print(sum(range(5)))' }, {
    status: 'success', output: { stdout: '10\n', exit_code: 0 }, progress: 'installing …\n',
  });
  call(first, 'http_fetch', { url: 'https://example.invalid/' }, {
    status: 'denied', error: { code: 'policy.denied', detail: 'egress to example.invalid', rule: 'egress.allowlist' },
  });
  call(first, 'file_read', { path: 'nothing.txt' }, {
    status: 'error', error: { code: 'tool.failed', detail: 'no such file' },
  });
  model(first, answer, true);
  const second = turn('And in one word?');
  model(second, 'Yes.', true);
  return importEvents(server, { session_id, title: 'Everything a talk can hold', persona_id: '' }, events);
}

const openMenu = (page) => page.getByRole('button', { name: 'More about this chat' }).click();

async function openDialog(page, name) {
  await openMenu(page);
  await page.getByRole('menuitem', { name, exact: true }).click();
  const dialog = page.getByRole('dialog', { name });
  await dialog.waitFor();
  return dialog;
}

const away = async (page) => {
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
};

async function walk(page, server, look, small) {
  await page.getByLabel('API key').waitFor();
  await look('sign-in');
  await page.getByLabel('API key').fill(server.adminKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await waitForConnection(page, 'connected');
  await look('new');
  const id = await importTalk(server);
  await page.evaluate((id) => (location.hash = `#s=${id}`), id);
  await waitForWords(page, 'Yes.');
  await page.locator('.hljs-keyword').first().waitFor();
  await page.locator('math').first().waitFor();
  await look('talk-end');
  // What did not work is open by itself.
  for (let folded; (folded = page.locator('.tool:not([open]) summary').first()) && (await folded.count());) await folded.click();
  await page.locator('.scroller').evaluate((box) => (box.scrollTop = 0));
  await look('talk-tools');
  await page.locator('.thinking').count();
  await page.getByRole('button', { name: 'Latest' }).click();
  await page.getByRole('button', { name: 'More actions' }).last().click();
  await look('turn-menu');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Not helpful' }).last().click();
  await page.getByRole('form', { name: 'Not helpful' }).waitFor();
  await look('feedback');
  await page.keyboard.press('Escape');
  await openMenu(page);
  await look('chat-menu');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Edit', exact: true }).last().click();
  await look('edit');
  await page.keyboard.press('Escape');
  await page.getByRole('textbox', { name: 'Message' }).fill('/');
  await page.getByRole('option').first().waitFor();
  await look('commands');
  await page.getByRole('textbox', { name: 'Message' }).fill('');

  await (await openDialog(page, 'History')).locator('.prose').waitFor();
  await look('history');
  await away(page);
  const context = await openDialog(page, 'Context window');
  await context.locator('.part').first().waitFor();
  await context.locator('summary').last().click();
  await look('context');
  await away(page);
  await (await openDialog(page, 'Go back in time')).locator('.turn').first().waitFor();
  await look('travel');
  await away(page);
  await (await openDialog(page, 'Attachments')).getByText('No message of this chat has a file').waitFor();
  await look('attachments-none');
  await away(page);
  await (await openDialog(page, 'Run a tool')).getByRole('combobox').first().waitFor();
  await look('tool');
  await away(page);
  await (await openDialog(page, 'Files')).getByText('Nothing is here yet.').waitFor();
  await look('files-none');
  await away(page);
  await openDialog(page, 'Import and export');
  await look('move');
  await away(page);
  await page.getByRole('button', { name: 'More actions' }).last().click();
  await page.getByRole('menuitem', { name: 'Raw events' }).click();
  const events = page.getByRole('dialog', { name: 'Raw events' });
  await events.locator('summary').first().click();
  await look('events');
  await away(page);

  await page.getByRole('button', { name: 'Pause the session' }).click();
  await page.getByText('nothing new begins').waitFor();
  await openMenu(page);
  await page.getByRole('menuitem', { name: 'Restart' }).click();
  await page.getByText('read anew').waitFor();
  await look('toasts');
  await makeSessions(server, 12);
  if (small) await page.getByRole('button', { name: 'Show the chats' }).click();
  await page.locator('.row', { hasText: 'Session 12' }).waitFor();
  await page.getByLabel('Search chats').fill('Session 1');
  await look('list');
  await page.getByLabel('Search chats').fill('');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  for (const tab of ['Models', 'Tools', 'Keys', 'Privacy', 'Appearance', 'Speech', 'About']) {
    await page.getByRole('tab', { name: tab }).click();
    await page.locator('.settings-panel .skeleton').waitFor({ state: 'detached' });
    await look(`settings-${tab.toLowerCase()}`);
  }
}

const sizes = [{ width: 360, height: 740 }, { width: 1440, height: 900 }];

export const viewTests = ['light', 'dark'].flatMap((colorScheme) => sizes.map((viewport) => ({
  name: `views: each fits, and is accessible, at ${viewport.width} px, ${colorScheme}`,
  async run({ browser, server }) {
    const small = viewport.width < 500;
    const reader = await Reader.open(browser, server, {
      viewport, colorScheme, isMobile: small, hasTouch: small,
    });
    const page = await reader.page();
    const wrong = [];
    const look = async (what) => {
      const name = `view-${viewport.width}-${colorScheme}-${what}`;
      await picture(page, name);
      const [content, room] = await page.evaluate(() => [
        document.documentElement.scrollWidth, document.documentElement.clientWidth,
      ]);
      if (content > room) wrong.push(`${name}: ${content} px wide in ${room} px`);
      await assertAccessible(page, name).catch((error) => wrong.push(error.message));
    };
    await walk(page, server, look, small);
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    assert.deepEqual(reader.complaints.filter((text) => !text.includes('status of 401')), []);
    assert.deepEqual(reader.strangers, []);
  },
})));
