import assert from 'node:assert/strict';
import { picture, Reader, send, waitForConnection, waitForStatus } from './browser.mjs';
import { askFor } from './rehearsal.mjs';

const sample = `Seventeen per cent of 2,349 is **399.33**. This is how it breaks down.

| Quarter | Orders | Share |
|:--|--:|--:|
| First | 512 | 21.8 % |
| Second | 604 | 25.7 % |
| Third | 588 | 25.0 % |
| Fourth | 645 | 27.5 % |

1. The total is the sum of all *four* quarters.
2. Returns are **not** subtracted; they are booked in the \`next\` quarter.

\`\`\`python
def share(part: int, whole: int) -> float:
    """Per cent, one digit."""
    return round(100 * part / whole, 1)
\`\`\`

> Rounding each quarter by itself may make the shares add up to 99.9.
`;

const sizes = [{ width: 360, height: 740 }, { width: 1440, height: 900 }];

export const looksTests = ['light', 'dark'].flatMap((colorScheme) => sizes.map((viewport) => ({
  name: `looks: nothing overflows at ${viewport.width} px, ${colorScheme}`,
  async run({ browser, server }) {
    const small = viewport.width < 500;
    const reader = await Reader.open(browser, server, {
      viewport, colorScheme, isMobile: small, hasTouch: small,
    });
    const name = (what) => `${viewport.width}-${colorScheme}-${what}`;
    const page = await reader.page();
    await page.getByLabel('API key').waitFor();
    await look(page, name('sign-in'));
    await reader.signIn();
    await page.reload();
    await waitForConnection(page, 'connected');
    await look(page, name('new'));
    await send(page, askFor(sample, { thinking: 12 }));
    await waitForStatus(page, 'done');
    await look(page, name('answer'));
    if (small) {
      await page.getByRole('button', { name: 'Show the chats' }).click();
      await page.locator('.row').waitFor();
      await look(page, name('menu'));
      await page.keyboard.press('Escape');
    }
    const nameless = await page.locator('button, input, textarea, a').evaluateAll((controls) =>
      controls.filter((control) => control.checkVisibility() &&
        !(control.textContent.trim() || control.ariaLabel || control.labels?.length))
        .map((control) => control.outerHTML));
    assert.deepEqual(nameless, [], 'controls without a name');
  },
})));

async function look(page, name) {
  await picture(page, name);
  const [content, room] = await page.evaluate(() => [
    document.documentElement.scrollWidth, document.documentElement.clientWidth,
  ]);
  assert.ok(content <= room, `${name}: ${content} px wide in ${room} px`);
}
