// What the Memory view tells of one memory, of documents and of the whole: where it was used, how long
// it is kept, which documents are known, what waits.
import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { picture, sessionIdOf, Reader } from './browser.mjs';
import { addDocument, handbook } from './documents.mjs';
import { card, furnish, indexed, note, openMemory, tellAndAsk } from './memory.mjs';
import { askFor, askForTool } from './rehearsal.mjs';
import { until } from './wait.mjs';

const day = (days) => {
  const at = new Date(Date.now() + days * 86_400_000);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`;
};
const gone = (where) => where.waitFor({ state: 'detached' });
const usesAsked = (reader) => reader.urls.filter((url) => url.includes('/uses'));
const fold = (page) => page.locator('.memory-documents summary');
const documentRow = (page, name) => page.locator('.memory-shelf li', { hasText: name });

/**
 * So many new chats, in which the model is told of what is asked for. What is said in them is forgotten, or
 * the next would be told of that instead.
 */
async function askOften(server, question, times) {
  for (let i = 0; i < times; i++) {
    const { session_id: session } = await server.api('session/message', {
      method: 'POST', body: { message: `${question} ${askFor(`Answer ${i + 1}.`)}` },
    });
    const said = await until('it is remembered', async () => {
      const { memories } = await server.api(`memories?session_id=${session}`);
      return memories.length === 2 && memories;
    });
    for (const { memory_id: id } of said) await server.api(`memories/${id}`, { method: 'DELETE' });
  }
}

const usesOf = async (server, id) => (await server.api(`memories/${id}/uses?limit=200`)).uses.length;

export const memoryDetailTests = [
  {
    name: 'memory: where one was used is told when it is asked for, and leads to the answer',
    async run({ browser, server }) {
      const { reader, page, told } = await tellAndAsk(browser, server);
      const asked = sessionIdOf(page);
      await indexed(server);
      await page.getByRole('link', { name: 'Memory', exact: true }).click();
      const ada = card(page, 'name is Ada').filter({ has: page.getByRole('link') }).filter({ hasText: 'You said' }).last();
      const button = ada.getByRole('button', { name: 'Where it was used' });
      await button.waitFor();
      assert.deepEqual(usesAsked(reader), []);
      await button.focus();
      await page.keyboard.press('Enter');
      const used = ada.getByRole('button', { name: 'Used in 1 answer' });
      await used.waitFor();
      assert.equal(await used.getAttribute('aria-expanded'), 'true');
      assert.equal(usesAsked(reader).length, 1);
      const uses = ada.getByRole('region', { name: /^Answers that “my daughter’s name is Ada” was used in$/ });
      await uses.getByRole('link', { name: 'In “what is my daughter called?”' }).click();
      await page.locator('.turn[data-wanted=true]').getByText('what is my daughter called?', { exact: true }).waitFor();
      assert.equal(sessionIdOf(page), asked);
      assert.notEqual(asked, told);
      await page.goBack();
      await ada.getByRole('button', { name: 'Where it was used' }).waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'memory: of one that was used often the newest answers come first, and older ones when they are asked for',
    async run({ browser, server }) {
      const { memory_id: id } = await note(server, 'The boiler is serviced by Okafor and Sons');
      const { memory_id: unused } = await note(server, 'Quite another thing');
      await indexed(server);
      await askOften(server, 'Who services the boiler?', 23);
      await until('all were told of it', async () => (await usesOf(server, id)) === 23);
      assert.equal(await usesOf(server, unused), 0);
      const { reader, page } = await openMemory(browser, server, '#new&open=memory&kind=note');
      const boiler = card(page, 'The boiler');
      await boiler.getByRole('button', { name: 'Where it was used' }).click();
      await boiler.getByRole('button', { name: 'Used in more than 20 answers' }).waitFor();
      const links = boiler.locator('.memory-uses').getByRole('link');
      assert.equal(await links.count(), 20);
      await boiler.getByRole('button', { name: 'Show older ones' }).press('Enter');
      await boiler.getByRole('button', { name: 'Used in 23 answers' }).waitFor();
      assert.equal(await links.count(), 23);
      await until('the first of the older has the focus', () => links.nth(20).evaluate((one) => document.activeElement === one));
      // Nothing of it is asked again by itself, and a second look asks anew.
      const before = usesAsked(reader).length;
      await note(server, 'Something changes the list');
      await card(page, 'Something changes').waitFor();
      assert.equal(await links.count(), 23);
      assert.equal(usesAsked(reader).length, before);
      const other = card(page, 'Quite another');
      await other.getByRole('button', { name: 'Where it was used' }).click();
      await other.getByText('No answer was told of it yet.').waitFor();
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'memory: a note is kept for as long as is chosen, says until when, and goes by itself',
    async run({ browser, server }) {
      const { reader, page } = await openMemory(browser, server);
      await page.getByRole('button', { name: 'Note something' }).click();
      await page.keyboard.type('The lift is out of order');
      const term = page.getByRole('combobox', { name: 'Keep it' });
      assert.equal(await term.inputValue(), 'always');
      await term.selectOption('For a week');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      const lift = card(page, 'The lift');
      await lift.getByText(/^forgotten on /).waitFor();
      const kept = async () => (await server.api('memories')).memories.find(({ text }) => text === 'The lift is out of order').expires_at;
      const days = (new Date(await kept()) - Date.now()) / 86_400_000;
      assert.ok(Math.abs(days - 7) < 0.1, `kept for ${days} days`);

      // By keys: up to a day, and what is no day to come is refused.
      await lift.getByRole('button', { name: /^Edit/ }).press('Enter');
      assert.equal(await term.inputValue(), 'date');
      const until_ = page.getByLabel('Up to the end of');
      assert.equal(await until_.inputValue(), day(7));
      await until_.fill('2020-02-03');
      await until_.press('Control+Enter');
      await page.getByText('Choose a day that has not gone by.').waitFor();
      await assertAccessible(page, 'a day that has gone by');
      await until_.fill(day(40));
      await until_.press('Control+Enter');
      await until('it is a card again', () => lift.isVisible());
      assert.equal(new Date(await kept()).toDateString(), new Date(`${day(40)}T12:00`).toDateString());
      // Of two who change it both terms are shown.
      const { memory_id: id } = (await server.api('memories')).memories[0];
      await lift.getByRole('button', { name: /^Edit/ }).click();
      await term.selectOption('For good');
      await server.api(`memories/${id}`, { method: 'PATCH', body: { importance: 0.9 } });
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await page.getByRole('region', { name: 'How it is now' }).getByText('importance 0.9 · forgotten on').waitFor();
      await page.getByRole('region', { name: 'How you have it' }).getByText('kept for good').waitFor();
      await page.getByRole('button', { name: 'Save mine over it' }).click();
      await until('it is kept for good', async () => (await kept()) === undefined);
      await gone(lift.getByText(/^forgotten on/));

      await note(server, 'Only for a moment', { expires_at: new Date(Date.now() + 4_000).toISOString() });
      await card(page, 'Only for a moment').getByText(/^forgotten at /).waitFor();
      const before = reader.urls.length;
      await gone(card(page, 'Only for a moment'));
      // By what the server told, and not by asking again and again.
      assert.ok(reader.urls.length - before < 12, `${reader.urls.length - before} requests`);
      assert.deepEqual(reader.complaints.filter((text) => !/status of 412/.test(text)), []);
    },
  },
  {
    name: 'memory: documents that are known are listed, lead to their chat, and are forgotten with undo',
    needs: 'uploads',
    async run({ browser, server }) {
      const { id } = await addDocument(server, 'handbook.md', handbook);
      await server.api('memory/import', { method: 'POST', body: { attachment_id: id } });
      const { reader, page } = await openMemory(browser, server);
      await card(page, 'Deliveries').waitFor();
      assert.equal(reader.urls.some((url) => url.includes('/memory/documents')), false);
      await fold(page).focus();
      await page.keyboard.press('Enter');
      const row = documentRow(page, 'handbook.md');
      await row.getByText(/^\d passages$/).waitFor();
      await row.getByText(/^\d+ B of text$/).waitFor();
      await page.getByText('One document.').waitFor();
      assert.ok(page.url().endsWith('open=memory&documents=true'));
      const coming = page.waitForEvent('download');
      await row.getByRole('link', { name: 'handbook.md' }).click();
      assert.equal((await coming).suggestedFilename(), 'handbook.md');

      // One that the agent keeps comes by itself, with the chat in which it was kept.
      const rules = await addDocument(server, 'rules.md', '# Rules\n\nThe kitchen closes at nine in the evening.');
      await server.api('session/message', { method: 'POST', body: {
        message: `Learn the rules. ${askForTool('document_ingest', { attachment_id: rules.id, remember: true })}`, attachments: [{ id: rules.id }],
      } });
      const second = documentRow(page, 'rules.md');
      await second.getByText('1 passage', { exact: true }).waitFor();
      await page.getByText('2 documents, the newest first.').waitFor();
      await second.getByRole('link', { name: /^In “Learn the rules/ }).click();
      await page.locator('.turn').first().waitFor();
      await page.goBack();
      await second.waitFor();
      assert.equal(await page.locator('.memory-shelf li').first().getAttribute('data-document'), rules.id);

      // Its passages go with it at once, and come back with it.
      await card(page, 'The kitchen').waitFor();
      await second.getByRole('button', { name: 'Forget “rules.md”' }).press('Enter');
      await gone(second);
      await gone(card(page, 'The kitchen'));
      await until('the focus is at the next', () => row.getByRole('button').evaluate((one) => document.activeElement === one));
      assert.equal((await server.api('memory/documents')).documents.length, 2);
      await page.getByRole('button', { name: 'Undo' }).click();
      await card(page, 'The kitchen').waitFor();
      for (const name of ['rules.md', 'handbook.md']) {
        await documentRow(page, name).getByRole('button', { name: /^Forget/ }).click();
      }
      await page.getByText('No document is kept as knowledge yet.').waitFor();
      await assertAccessible(page, 'no document');
      await page.getByRole('button', { name: 'Dismiss' }).first().click();
      await page.getByRole('button', { name: 'Dismiss' }).first().click();
      await until('both are forgotten', async () => (await server.api('memory/documents')).documents.length === 0);
      assert.equal((await server.api('memories?kind=knowledge')).memories.length, 0);
      // Their files stay, and can be known again.
      await server.api('memory/import', { method: 'POST', body: { attachment_id: id } });
      await row.waitFor();
      await card(page, 'Deliveries').waitFor();
      await server.api(`memory/documents/${id}`, { method: 'DELETE' });
      await gone(row);
      assert.deepEqual(reader.complaints, []);
    },
  },
  {
    name: 'memory: what is found by words alone, and what its model fails at, is told in words',
    async run({ browser, server }) {
      await note(server, 'The key is under the mat');
      await indexed(server);
      const reader = await (await Reader.open(browser, server, { viewport: { width: 390, height: 844 } })).signIn();
      await reader.context.route('**/v1/memory/status', async (route) => {
        const answer = await route.fetch();
        const status = await answer.json();
        return route.fulfill({ response: answer, json: { ...status, vectors: {
          ...status.vectors, state: 'failing', waiting: 7, lag_s: 340, set_aside: 2, why: 'the provider answered 500',
        } } });
      });
      const page = await reader.page('#new&open=memory');
      await page.getByText('1 memory · 7 memories are found by words alone so far, for 6 min · ' +
        'the model that finds by meaning cannot be asked: the provider answered 500 · ' +
        '2 memories stay found by words alone: the model that finds by meaning fails at them').waitFor();
      await picture(page, 'memory-vectors');
      await assertAccessible(page, 'the state of vectors');
      assert.deepEqual(reader.complaints, []);
    },
  },
];

const sizes = [{ width: 390, height: 844 }, { width: 1280, height: 800 }];

export const memoryDetailLookTests = ['light', 'dark'].flatMap((colorScheme) => sizes.map((viewport) => ({
  name: `memory looks: uses, terms and documents fit, and are accessible, at ${viewport.width} px, ${colorScheme}`,
  needs: 'uploads',
  async run({ browser, server }) {
    const small = viewport.width < 500;
    await furnish(server);
    for (const name of ['handbook.md', 'minutes of the meeting of all who live in the house, of the third of November.md']) {
      const { id } = await addDocument(server, name, `${handbook}\n${name}`);
      await server.api('memory/import', { method: 'POST', body: { attachment_id: id } });
    }
    await note(server, 'The lift is out of order until the end of the month.', {
      tags: ['house'], expires_at: new Date(Date.now() + 20 * 86_400_000).toISOString(),
    });
    await indexed(server);
    await askOften(server, 'When do the backups of the billing database run, and how long do they take?', 3);
    const { reader, page } = await openMemory(browser, server, '#new&open=memory&documents=true', {
      viewport, colorScheme, isMobile: small, hasTouch: small,
    });
    const wrong = [];
    const look = async (what) => {
      const name = `details-${viewport.width}-${colorScheme}-${what}`;
      await picture(page, name);
      const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      if (content > room) wrong.push(`${name}: ${content} px wide in ${room} px`);
      // A card cuts off what is wider than it is, and the page is no wider for it.
      const cut = await page.locator('.memory-card *, .memory-form *').evaluateAll((all) => all.filter((one) => {
        const card = one.closest('.memory-card, .memory-form').getBoundingClientRect();
        const box = one.getBoundingClientRect();
        return box.width > 1 && (box.right > card.right || box.left < card.left);
      }).map((one) => one.outerHTML.slice(0, 120)));
      if (cut.length > 0) wrong.push(`${name}: wider than its card: ${cut[0]}`);
      await assertAccessible(page, name).catch((error) => wrong.push(error.message));
    };
    await documentRow(page, 'minutes').waitFor();
    await look('documents');
    await documentRow(page, 'minutes').getByRole('button', { name: /^Forget/ }).click();
    await page.getByText('One document.').waitFor();
    await look('forget');
    await page.getByRole('button', { name: 'Undo' }).click();
    await fold(page).click();
    if (small) await page.getByRole('button', { name: 'Filters' }).click();
    await page.getByRole('combobox', { name: 'Kind' }).selectOption({ label: 'Notes' });
    const backups = card(page, 'Backups of the billing');
    await backups.getByRole('button', { name: 'Where it was used' }).click();
    await backups.getByRole('button', { name: 'Used in 3 answers' }).waitFor();
    await backups.evaluate((box) => box.scrollIntoView({ block: 'center' }));
    await look('uses');
    const lift = card(page, 'The lift');
    await lift.getByRole('button', { name: /^Edit/ }).click();
    await page.getByLabel('Up to the end of').waitFor();
    await page.locator('.memory-form').evaluate((box) => box.scrollIntoView({ block: 'center' }));
    await look('term');
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
    assert.deepEqual(reader.complaints, []);
    assert.deepEqual(reader.strangers, []);
  },
})));
