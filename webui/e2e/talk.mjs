import { Reader, send } from './browser.mjs';
import { askFor } from './rehearsal.mjs';
import { until } from './wait.mjs';

/** A reader whose new chat was answered so, one after another. */
export async function talk(browser, server, ...answers) {
  const reader = await (await Reader.open(browser, server)).signIn();
  const page = await reader.page();
  for (const [i, answer] of answers.entries()) {
    await send(page, `Nr. ${i + 1}. ${askFor(answer)}`);
    await until('it is answered', async () =>
      (await page.locator('.turn[data-status=done]').count()) === i + 1);
  }
  return { reader, page };
}
