import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { lastTurn, picture, sessionIdOf, waitForWords } from './browser.mjs';
import { talk } from './talk.mjs';
import { until } from './wait.mjs';

const thumb = (where, name) => where.getByRole('button', { name, exact: true });
const isPressed = async (where, name) =>
  (await thumb(where, name).getAttribute('aria-pressed')) === 'true';

/** What the log says was said of answers. */
async function kept(server, session) {
  const { events } = await server.api(`sessions/${session}/events?types=app.event`);
  return events.map(({ payload }) => payload.data);
}

export const feedbackTests = [
  {
    name: 'feedback: one press rates an answer, in every tab and after a reload; words may follow',
    async run({ browser, server }) {
      const { reader, page } = await talk(browser, server, 'the first', 'the second');
      const session = sessionIdOf(page);
      const other = await reader.page(`#s=${session}`);
      await waitForWords(other, 'the second');
      await page.bringToFront(); // no frames are drawn behind
      const first = page.locator('.turn').first();
      await thumb(first, 'Helpful').click();
      await until('the other tab knows', () => isPressed(other.locator('.turn').first(), 'Helpful'));
      assert.equal(await isPressed(lastTurn(other), 'Helpful'), false);
      await first.getByRole('form', { name: 'Helpful' }).waitFor();
      await page.keyboard.press('Escape');
      assert.equal(await page.locator('.feedback').count(), 0);

      const last = lastTurn(page);
      await thumb(last, 'Not helpful').click();
      const form = last.getByRole('form', { name: 'Not helpful' });
      assert.equal(await form.getByRole('button', { name: 'Send' }).isDisabled(), true);
      await form.getByLabel('Wrong', { exact: true }).check();
      await form.getByLabel('Too long').check();
      await form.getByLabel('Anything else? (optional)').fill('Half of it would do.');
      await picture(page, 'feedback');
      await assertAccessible(page, 'feedback');
      await form.getByRole('button', { name: 'Send' }).click();
      await form.waitFor({ state: 'detached' });
      await page.getByText('It is kept with the chat.').waitFor();
      assert.deepEqual((await kept(server, session)).map(({ rating, tags, comment }) => [rating, tags, comment]), [
        ['helpful', [], ''], ['not_helpful', [], ''],
        ['not_helpful', ['wrong', 'too_long'], 'Half of it would do.'],
      ]);

      await page.reload();
      await waitForWords(page, 'the second');
      assert.equal(await isPressed(first, 'Helpful'), true);
      assert.equal(await isPressed(last, 'Not helpful'), true);
      assert.equal(await isPressed(last, 'Helpful'), false);
      // What was said is there to be changed, and the other rating takes its place.
      await thumb(last, 'Not helpful').click();
      assert.equal(await form.getByLabel('Wrong', { exact: true }).isChecked(), true);
      assert.equal(await form.getByLabel('Anything else? (optional)').inputValue(), 'Half of it would do.');
      await thumb(last, 'Helpful').click();
      await until('it is told of', async () => (await kept(server, session)).length === 4);
      await until('the other tab follows', () => isPressed(lastTurn(other), 'Helpful'));
      assert.equal(await isPressed(lastTurn(other), 'Not helpful'), false);
      assert.deepEqual(reader.complaints, []);
      assert.deepEqual(reader.strangers, []);
    },
  },
  {
    name: 'feedback: what was not kept is not shown as pressed',
    async run({ browser, server }) {
      const { page } = await talk(browser, server, 'the first');
      await page.route('**/v1/feedback', (route) => route.abort());
      await thumb(lastTurn(page), 'Helpful').click();
      await page.locator('.toast.bad').waitFor();
      assert.equal(await isPressed(lastTurn(page), 'Helpful'), false);
      assert.deepEqual(await kept(server, sessionIdOf(page)), []);
    },
  },
];
