// Makes docs/images/memory.png: the Memory view of somebody who looks for something, with a model's
// provider that is scripted here.
//   SOMA_BIN=… SOMA_REHEARSAL_BIN=… node e2e/memory_picture.mjs FILE
import { launch, Reader, send, waitForConnection, waitForStatus } from './browser.mjs';
import { indexed, note } from './memory.mjs';
import { startProvider } from './provider.mjs';
import { Server } from './server.mjs';

const talks = {
  'My daughter’s name is Ada, she starts school in August.': 'Noted: Ada starts school in August. Shall I collect what the school asks for?',
  'The exports run at 02:30, so do not plan the restore before four.': 'Then the restore test goes to 04:15; the exports take forty minutes.',
  'What does Ada need for school?': 'For Ada’s first day: the satchel is ordered, the form for the after-school club is still missing.',
};

const provider = await startProvider((messages) => ({
  text: talks[messages.findLast((message) => message.role === 'user').content] ?? 'Yes.',
}));
const server = await Server.start({ provider });
const browser = await launch();
try {
  const reader = await (await Reader.open(browser, server, {
    viewport: { width: 1280, height: 800 }, colorScheme: 'light',
  })).signIn();
  const page = await reader.page('#new');
  await waitForConnection(page, 'connected');
  const asked = Object.keys(talks);
  for (const text of asked) {
    if (text !== asked[0]) await page.getByRole('button', { name: 'New chat' }).click();
    await send(page, text);
    await waitForStatus(page, 'done');
    await indexed(server);
  }
  const form = await note(server, 'The after-school club takes Ada from 1 August; its form goes to Ms Okafor.', {
    tags: ['family', 'school'], importance: 0.8,
  });
  await server.api(`memories/${form.memory_id}`, { method: 'PATCH', body: { pinned: true } });
  await note(server, 'I prefer short answers, with the figures first.', { tags: ['style'] });
  await indexed(server);
  await page.getByRole('link', { name: 'Memory', exact: true }).click();
  await page.getByRole('searchbox', { name: 'Search memories' }).fill('Ada school');
  await page.locator('mark').first().waitFor();
  const told = page.locator('.memory-card[aria-label^="My daughter"]');
  await told.getByRole('button', { name: 'Where it was used' }).press('Enter');
  await told.getByRole('button', { name: 'Used in 1 answer' }).waitFor();
  await page.getByRole('heading', { name: 'Memory' }).focus();
  await page.screenshot({ path: process.argv[2] ?? '../docs/images/memory.png' });
} finally {
  await browser.close();
  await server.close();
  provider.close();
}
