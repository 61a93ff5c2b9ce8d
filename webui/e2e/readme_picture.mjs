// Makes docs/images/page.png: a conversation whose provider is scripted here, caught in the middle
// of an answer.
//   SOMA_BIN=… SOMA_REHEARSAL_BIN=… node e2e/readme_picture.mjs FILE
import http from 'node:http';
import { launch, Reader, send, waitForConnection, waitForStatus, waitForWords } from './browser.mjs';
import { Server } from './server.mjs';

const talks = {
  'Plan the release of the billing service': 'Three steps, one owner each.',
  'Why did the nightly export fail?': 'The disk of the second node was full.',
  'Compare the two invoices and tell me what changed': `Two lines differ; the total went up by **4.7 %**.

| Position | March | April |
|:--|--:|--:|
| Storage, 2 TB | 184.00 | 184.00 |
| Outgoing traffic | 61.20 | **78.50** |
| Support | 120.00 | 120.00 |
| Sum | 365.20 | **382.50** |

1. *Outgoing traffic* grew by 28 %: the export of 12 April alone was 1.1 TB.
2. The unit price did not change.

\`\`\`python
growth = (78.50 - 61.20) / 61.20
print(f"{growth:.0%}")   # 28%
\`\`\`

To keep it below the included volume, run the export from the replica in the same`,
};

const provider = http.createServer((request, answer) => {
  let body = '';
  request.on('data', (chunk) => (body += chunk));
  request.on('end', () => {
    if (!request.url.endsWith('/chat/completions')) return answer.writeHead(404).end();
    const { messages } = JSON.parse(body);
    const text = talks[messages.findLast((m) => m.role === 'user').content] ?? 'Yes.';
    answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const piece = (delta, finish) => answer.write(
      `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
    for (const word of text.match(/\S+\s*/g)) piece({ content: word }, null);
    if (!/[.]$/.test(text)) return undefined;  // goes on when the picture is taken
    piece({}, 'stop');
    return answer.end('data: [DONE]\n\n');
  });
});
await new Promise((done) => provider.listen(0, '127.0.0.1', done));

const server = await Server.start({
  provider: { baseUrl: `http://127.0.0.1:${provider.address().port}/v1`, model: 'scripted' },
});
const browser = await launch();
try {
  const reader = await (await Reader.open(browser, server, {
    viewport: { width: 1280, height: 800 }, colorScheme: 'light',
  })).signIn();
  const page = await reader.page();
  await waitForConnection(page, 'connected');
  const asked = Object.keys(talks);
  for (const text of asked) {
    if (text !== asked[0]) await page.getByRole('button', { name: 'New chat' }).click();
    await send(page, text);
    if (text === asked.at(-1)) await waitForWords(page, 'replica in the same');
    else await waitForStatus(page, 'done');
  }
  await page.screenshot({ path: process.argv[2] ?? '../docs/images/page.png' });
} finally {
  await browser.close();
  await server.close();
  provider.close();
  provider.closeAllConnections();
}
