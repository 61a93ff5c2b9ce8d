// Two users of one tenant, each in a browser of his own: what each sees, and what policy tells them.
import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { lastTurn, picture, Reader, send, sessionIdOf, waitForConnection, waitForStatus, waitForWords } from './browser.mjs';
import { askFor, askForTool } from './rehearsal.mjs';
import { until } from './wait.mjs';

const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };

/** Somebody with a key of his own, signed in by the page's form. */
async function comeIn(browser, server, user, options) {
  const { key } = await server.api('keys', { method: 'POST', body: { name: user, user_id: user } });
  const reader = await Reader.open(browser, server, options);
  const page = await reader.page('#new');
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await waitForConnection(page, 'connected');
  return { reader, page, headers: { Authorization: `Bearer ${key}` } };
}

/** A chat of that title, answered; its id. */
async function chatOf({ page }, title) {
  await page.goto(page.url().replace(/#.*/, '#new'));
  await send(page, `${title} ${askFor(`answer to ${title}`)}`);
  await waitForWords(page, `answer to ${title}`);
  await waitForStatus(page, 'done');
  return sessionIdOf(page);
}

const drawer = (page) => page.getByRole('button', { name: 'Show the chats' });

/** The ids of the chats in his list, as they are drawn. */
async function listed({ page }) {
  const links = await page.locator('.chats a[href^="#s="]').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
  return links.map((href) => href.replace('#s=', '')).sort();
}

const shows = (who, what, ids) => until(what, async () => (await listed(who)).join() === [...ids].sort().join());

export const twoPeopleTests = [
  {
    name: 'two people: each in his browser sees exactly his own and what was shared, on every way to it',
    async run({ browser, server }) {
      const ann = await comeIn(browser, server, 'ann');
      const bob = await comeIn(browser, server, 'bob', phone);
      const anns = [await chatOf(ann, 'harbour of ann'), await chatOf(ann, 'plan for both')];
      const bobs = [await chatOf(bob, 'garden of bob')];
      await shows(ann, 'ann sees her own', anns);
      await shows(bob, 'bob sees his own', bobs);

      // Shared: it comes by itself, with her name on it, and he can answer in it.
      await ann.page.getByRole('button', { name: 'More about this chat' }).click();
      await ann.page.getByRole('menuitem', { name: 'Who sees this chat', exact: true }).click();
      const dialog = ann.page.getByRole('dialog', { name: 'Who sees this chat' });
      await dialog.getByLabel('Share with (user)').fill('bob');
      await dialog.getByRole('button', { name: 'Share', exact: true }).click();
      await dialog.locator('.shared-with', { hasText: 'bob' }).waitFor();
      await picture(ann.page, 'two-people-ann-shares');
      await ann.page.keyboard.press('Escape');
      await shows(bob, 'bob sees what is shared', [...bobs, anns[1]]);
      await drawer(bob.page).click();
      await picture(bob.page, 'two-people-bob-list');
      await assertAccessible(bob.page, 'the list of bob');
      await bob.page.locator(`.chats a[href="#s=${anns[1]}"]`, { hasText: 'of ann' }).click();
      await waitForWords(bob.page, 'answer to plan for both');
      await send(bob.page, `And bob says. ${askFor('heard of both')}`);
      await waitForWords(bob.page, 'heard of both');
      await waitForWords(ann.page, 'heard of both');
      await picture(bob.page, 'two-people-bob-shared');
      await picture(ann.page, 'two-people-ann-shared');

      // What is not shared is not there: by its address, by a search, in what is remembered.
      await bob.page.goto(`${server.pageUrl}#s=${anns[0]}`);
      await bob.page.getByText('This chat is not here any more').waitFor();
      await picture(bob.page, 'two-people-bob-not-his');
      assert.equal(await bob.page.getByText('harbour').count(), 0);
      await drawer(bob.page).click();
      await bob.page.getByLabel('Search chats').fill('harbour');
      await until('nothing is found', async () => (await listed(bob)).length === 0);
      await bob.page.getByLabel('Search chats').fill('');
      await shows(bob, 'all of his again', [...bobs, anns[1]]);
      await until('it is remembered', async () =>
        (await server.api('memories/search?q=harbour', { headers: ann.headers })).memories.length > 0);
      await bob.page.locator('.side-place[data-place=memory]').click();
      await bob.page.getByRole('heading', { name: 'Memory', level: 1 }).waitFor();
      await bob.page.getByText('garden of bob').first().waitFor();
      assert.equal(await bob.page.getByText('harbour of ann').count(), 0);
      await picture(bob.page, 'two-people-bob-memory');

      // And it goes as it came, from under his eyes.
      await bob.page.goto(`${server.pageUrl}#s=${anns[1]}`);
      await waitForWords(bob.page, 'heard of both');
      await server.api(`sessions/${anns[1]}`, { method: 'PATCH', body: { shared_with: [] }, headers: ann.headers });
      await shows(bob, 'it is gone', bobs);
      await bob.page.getByText('This chat is not here any more').waitFor();
      await shows(ann, 'and ann has hers', anns);
      for (const { reader } of [ann, bob]) {
        assert.deepEqual(reader.complaints.filter((text) => !/status of 40[14]/.test(text)), []);
      }
    },
  },
  {
    name: 'two people: what policy denies one is explained to him, and done for the other',
    needs: 'tools',
    server: { policy: `
[[rule]]
id = "no-sums-for-bob"
effect = "deny"
actions = ["tool.execute"]
resources = ["calculator"]
users = ["bob"]
reason = "Bob does his sums by himself."

[[rule]]
id = "carl-only-reads"
effect = "deny"
actions = ["conversation.send"]
users = ["carl"]
reason = "Carl may read here, not write."

[[rule]]
id = "all-else"
effect = "allow"
actions = ["*"]
` },
    async run({ browser, server }) {
      const ann = await comeIn(browser, server, 'ann');
      const bob = await comeIn(browser, server, 'bob', phone);
      for (const { page } of [ann, bob]) await send(page, askForTool('calculator', { expression: '6*7' }));
      const hers = ann.page.locator('.tool', { hasText: 'calculator' }).last();
      await hers.getByText(/^done/).waitFor();
      const his = bob.page.locator('.tool', { hasText: 'calculator' }).last();
      await his.getByText(/^not allowed/).waitFor();
      await his.getByText('The server’s policy does not allow this.').waitFor();
      await his.locator('code', { hasText: 'no-sums-for-bob' }).waitFor();
      await his.locator('dd', { hasText: 'Bob does his sums by himself.' }).waitFor();
      await waitForStatus(bob.page, 'done'); // the model was told, and answered
      await his.scrollIntoViewIfNeeded();
      await picture(bob.page, 'two-people-bob-denied');
      await assertAccessible(bob.page, 'a denied call');

      const carl = await comeIn(browser, server, 'carl');
      await send(carl.page, askFor('never said'));
      const card = carl.page.locator('.card.failure', { hasText: 'Not sent.' });
      await card.getByText('Carl may read here, not write.').waitFor();
      await picture(carl.page, 'two-people-carl-denied');
      assert.equal(await lastTurn(carl.page).locator('.prose').count(), 0);
      // Whoever answers for it finds both among what was done.
      const { records } = await server.api('admin/audit?what=tool.execute');
      assert.ok(records.some(({ how, why, who }) => how.outcome === 'denied' && why === 'no-sums-for-bob' && who.user_id === 'bob'));
    },
  },
];
