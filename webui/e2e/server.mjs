// The servers under test: soma and the rehearsal it talks to, on free ports, with a folder of their
// own. `kill` is SIGKILL, `start` brings soma back on the same port and data.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './wait.mjs';

const pageDir = fileURLToPath(new URL('../dist', import.meta.url));
const logTailChars = 4_000;

export class Server {
  #children = new Map();
  #log = '';
  #encKey = randomBytes(32).toString('hex');

  /**
   * `adminKey: false` leaves identity unconfigured, so that a sign-in link is printed. `provider`
   * ({ baseUrl, model }) answers in the rehearsal's place. `canEncrypt: false` leaves it without
   * the key that stored secrets are encrypted with. `openid` is an issuer by which one can sign in.
   * `policy` is the text of rules in place of the built-in ones.
   */
  static async start({ adminKey = true, provider, canEncrypt = true, openid, policy } = {}) {
    const server = new Server();
    server.provider = provider;
    if (!canEncrypt) server.#encKey = '';
    server.dir = await mkdtemp(path.join(tmpdir(), 'soma-e2e-'));
    server.port = await freePort();
    // Neither is taken yet, so the same may come twice.
    do server.llmPort = await freePort(); while (server.llmPort === server.port);
    server.adminKey = adminKey ? randomBytes(24).toString('hex') : '';
    server.config = path.join(server.dir, 'soma.toml');
    const settings = [`[server]\nui_dir = ${JSON.stringify(pageDir)}`];
    if (openid) {
      settings.push(`base_url = "${server.origin}"`, '[oidc]', `issuer = "${openid}"`, 'client_id = "soma"', 'name = "Acme"',
        'tenants = ["groups=staff -> default"]');
    }
    if (policy) {
      const rules = path.join(server.dir, 'policy.toml');
      await writeFile(rules, policy);
      settings.push('[policy]', `file = ${JSON.stringify(rules)}`);
    }
    await writeFile(server.config, `${settings.join('\n')}\n`);
    try {
      if (!provider) {
        server.#spawn('rehearsal', required('SOMA_REHEARSAL_BIN'), [
          '--port', String(server.llmPort),
        ]);
      }
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where the rehearsal server listens. */
  get providerOrigin() {
    return `http://127.0.0.1:${this.llmPort}`;
  }

  get pageUrl() {
    return `${this.origin}/ui/index.html`;
  }

  /** What the servers said last, for a test that failed. */
  get log() {
    return this.#log;
  }

  async start() {
    this.#spawn('soma', required('SOMA_BIN'), [
      'serve', '--config', this.config, '--data-dir', path.join(this.dir, 'data'),
      '--port', String(this.port),
    ], {
      SOMA_ADMIN_KEY: this.adminKey,
      GATEWAY_ENC_KEY: this.#encKey,
      SOMA_LLM_BASE_URL: this.provider?.baseUrl ?? `${this.providerOrigin}/v1`,
      SOMA_LLM_API_KEY: 'rehearsal',
      SOMA_LLM_MODEL: this.provider?.model ?? 'rehearsal',
      SOMA_LLM_RESUME: 'prefill',
    });
    const soma = this.#children.get('soma');
    await until('soma is ready', async () => {
      if (soma.exitCode !== null) throw new Error(`soma ended with ${soma.exitCode}\n${this.log}`);
      const answer = await fetch(`${this.origin}/readyz`).catch(() => null);
      return answer?.ok;
    });
  }

  /** A key for another person, of a tenant of their own; the server must not run meanwhile. */
  async newKey(user) {
    const { stdout } = await promisify(execFile)(required('SOMA_BIN'), [
      'key', 'new', '--config', this.config, '--data-dir', path.join(this.dir, 'data'),
      '--name', user, '--user', user, '--tenant', user, '--role', 'user',
    ], { env: { ...process.env, SOMA_ADMIN_KEY: this.adminKey, GATEWAY_ENC_KEY: this.#encKey } });
    return stdout.trim().split(/\s+/).at(-1);
  }

  async kill() {
    const soma = this.#children.get('soma');
    const ended = new Promise((done) => soma.once('exit', done));
    soma.kill('SIGKILL');
    await ended;
  }

  /** The token of the sign-in link that was printed. */
  async signInToken() {
    return until('a sign-in link is printed', () => /#signin=([\w.~%-]+)/.exec(this.#log)?.[1]);
  }

  async close() {
    for (const child of this.#children.values()) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((done) => child.once('exit', done));
        child.kill('SIGKILL');
        await ended;
      }
    }
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Whether this build of the server can do what a test is about. */
  async has(what) {
    if (what === 'uploads') return (await this.api('runtime-config')).limits.attachments_max > 0;
    const { tools } = await this.api('tool-catalog').catch(() => ({ tools: [] }));
    if (what === 'tools') return tools.length > 0;
    return tools.some(({ executor, unavailable }) => executor === what && !unavailable);
  }

  /** A request with the admin key; answers the parsed body. */
  async api(route, { method = 'GET', body, headers = {} } = {}) {
    const answer = await fetch(`${this.origin}/v1/${route}`, {
      method,
      headers: {
        Authorization: `Bearer ${this.adminKey}`,
        ...(body ? { 'Content-Type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${route}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  #spawn(name, binary, args, env = {}) {
    const child = spawn(binary, args, {
      cwd: this.dir, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk) => (this.#log = (this.#log + chunk).slice(-logTailChars));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => keep(`${binary}: ${error.message}\n`));
    this.#children.set(name, child);
  }
}

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} must name the binary to test`);
  return path.resolve(value);
}

// Below the ports that outgoing connections take: a server that is started again finds it free.
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise((done) => {
      const probe = createServer();
      probe.once('error', () => done(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
    });
    if (free) return port;
  }
}
