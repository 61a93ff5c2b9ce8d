// A model's provider that says what a test wants, in pieces and at a pace of its own.
import http from 'node:http';

/** `talk(messages)` answers `{text, pieceChars?, delayMs?}`. */
export async function startProvider(talk) {
  const server = http.createServer((request, answer) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', async () => {
      if (!request.url.endsWith('/chat/completions')) return answer.writeHead(404).end();
      const { text, pieceChars = 20, delayMs = 0 } = talk(JSON.parse(body).messages);
      answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const piece = (delta, finish) => answer.write(
        `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`);
      for (let at = 0; at < text.length && !answer.destroyed; at += pieceChars) {
        piece({ content: text.slice(at, at + pieceChars) }, null);
        if (delayMs > 0) await new Promise((next) => setTimeout(next, delayMs));
      }
      piece({}, 'stop');
      return answer.end('data: [DONE]\n\n');
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    baseUrl: `http://127.0.0.1:${server.address().port}/v1`,
    model: 'scripted',
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
