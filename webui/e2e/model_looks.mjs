import assert from 'node:assert/strict';
import { picture, Reader, waitForConnection } from './browser.mjs';
import { addProfile, card, field, openModels, save } from './models_page.mjs';

export const modelLooksTests = [
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
