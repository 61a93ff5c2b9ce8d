// An OpenID provider for the page's tests, on another site than the page: whoever comes is asked to
// continue, and is `user` then.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';

export class OpenIdProvider {
  user = { sub: 'ann', groups: ['staff'] };
  #codes = new Map();
  #key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #server = createServer((request, answer) => void this.#serve(request, answer));

  static async start() {
    const provider = new OpenIdProvider();
    await new Promise((done) => provider.#server.listen(0, '127.0.0.1', done));
    return provider;
  }

  get issuer() {
    return `http://localhost:${this.#server.address().port}`;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #serve(request, answer) {
    const url = new URL(request.url, this.issuer);
    const json = (body, status = 200) => answer.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    const go = (to) => answer.writeHead(302, { Location: to }).end();
    if (url.pathname === '/.well-known/openid-configuration') {
      const at = (path) => this.issuer + path;
      return json({ issuer: this.issuer, authorization_endpoint: at('/auth'), token_endpoint: at('/token'), jwks_uri: at('/keys'),
        end_session_endpoint: at('/end') });
    }
    if (url.pathname === '/favicon.ico') return answer.writeHead(204).end();
    if (url.pathname === '/keys') return json({ keys: [{ ...this.#key.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }] });
    if (url.pathname === '/auth') {
      url.pathname = '/agreed';
      return answer.writeHead(200, { 'Content-Type': 'text/html' }).end(`<a href="${url.href.replaceAll('&', '&amp;')}">Continue</a>`);
    }
    if (url.pathname === '/agreed') {
      const asked = Object.fromEntries(url.searchParams);
      const code = randomBytes(8).toString('hex');
      this.#codes.set(code, asked);
      return go(`${asked.redirect_uri}?${new URLSearchParams({ code, state: asked.state })}`);
    }
    if (url.pathname === '/end') return go(url.searchParams.get('post_logout_redirect_uri'));
    if (url.pathname !== '/token') return json({}, 404);
    let form = '';
    for await (const piece of request) form += piece;
    const asked = this.#codes.get(new URLSearchParams(form).get('code'));
    if (!asked) return json({ error: 'invalid_grant' }, 400);
    const now = Math.floor(Date.now() / 1000);
    return json({ id_token: this.#token({ iss: this.issuer, aud: asked.client_id, iat: now, exp: now + 300, nonce: asked.nonce, ...this.user }) });
  }

  #token(claims) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ alg: 'ES256', kid: 'k' })}.${part(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#key.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }
}
