// A proxy that shows a server under a path of its own, as operators do.
import http from 'node:http';

export async function underPath(server, prefix) {
  const proxy = http.createServer((request, answer) => {
    if (!request.url.startsWith(`${prefix}/`)) return answer.writeHead(404).end('not behind this proxy');
    const headers = { ...request.headers, host: new URL(server.origin).host };
    if (headers.origin) headers.origin = server.origin;
    const onward = http.request(`${server.origin}${request.url.slice(prefix.length)}`, {
      method: request.method, headers,
    }, (reply) => {
      answer.writeHead(reply.statusCode, reply.headers);
      reply.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    return request.pipe(onward);
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${proxy.address().port}${prefix}`,
    close() {
      proxy.close();
      proxy.closeAllConnections();
    },
  };
}
