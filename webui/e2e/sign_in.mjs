import assert from 'node:assert/strict';
import { picture, Reader, waitForConnection } from './browser.mjs';
import { OpenIdProvider } from './openid.mjs';
import { Server } from './server.mjs';

// The page cannot know that it is not signed in before it asked: that one answer is in the console.
const askedWhoami = /status of 401/;

export const signInTests = [
  {
    name: 'sign-in: the one-time link opens the page and leaves the address bar',
    server: { adminKey: false },
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server);
      const token = await server.signInToken();
      const page = await reader.page(`#signin=${token}`);
      await waitForConnection(page, 'connected');
      assert.ok(!page.url().includes('signin'), 'the token stays in the address bar');
      assert.deepEqual(reader.complaints, []);

      const stranger = await Reader.open(browser, server);
      const second = await stranger.page(`#signin=${token}`);
      await second.getByText('not valid any more').waitFor();
    },
  },
  {
    name: 'sign-in: an API key opens the page, signing out closes it',
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server);
      const page = await reader.page();
      const key = page.getByLabel('API key');
      await key.fill('not a key');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('does not know that key').waitFor();
      await key.fill(server.adminKey);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await waitForConnection(page, 'connected');
      await page.reload();
      await waitForConnection(page, 'connected');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await key.waitFor();
      const others = reader.complaints.filter((text) => !askedWhoami.test(text));
      assert.deepEqual(others, []);
    },
  },
  {
    name: 'sign-in: servers of one host keep apart',
    async run({ browser, server }) {
      const other = await Server.start();
      try {
        const reader = await (await Reader.open(browser, server)).signIn();
        const page = await reader.page();
        await waitForConnection(page, 'connected');
        const login = await reader.context.request.post(`${other.origin}/v1/auth/login`, { data: { key: other.adminKey } });
        assert.ok(login.ok());
        const second = await reader.context.newPage();
        await second.goto(other.pageUrl);
        await waitForConnection(second, 'connected');
        await page.reload();
        await waitForConnection(page, 'connected');
        await second.getByRole('button', { name: 'Sign out' }).click();
        await second.getByLabel('API key').waitFor();
        await page.reload();
        await waitForConnection(page, 'connected');
      } finally {
        await other.close();
      }
    },
  },
  {
    name: 'sign-in: by an OpenID provider of another site, and out there, too',
    async run({ browser }) {
      const provider = await OpenIdProvider.start();
      const server = await Server.start({ openid: provider.issuer });
      try {
        const reader = await Reader.open(browser, server);
        const page = await reader.page('#new&open=memory');
        await page.getByRole('button', { name: 'Sign in with Acme' }).click();
        await picture(page, 'sign-in-provider-page');
        await page.getByRole('link', { name: 'Continue' }).click();
        await waitForConnection(page, 'connected');
        assert.ok(page.url().endsWith('/ui/index.html#new&open=memory'), page.url());
        await page.keyboard.press('Escape');
        await page.getByText('oidc-ann').waitFor();
        await page.reload();
        await waitForConnection(page, 'connected');
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByRole('button', { name: 'Sign in with Acme' }).waitFor();
        await picture(page, 'sign-in-by-provider');
        assert.ok(page.url().startsWith(`${server.origin}/ui/index.html`), page.url());

        // Whom nothing lets in is told so, and the address is the page's again.
        provider.user = { sub: 'eve' };
        await page.getByRole('button', { name: 'Sign in with Acme' }).click();
        await page.getByRole('link', { name: 'Continue' }).click();
        await page.getByText('not let in here').waitFor();
        assert.ok(!page.url().includes('signin_failed'), page.url());
        const others = reader.complaints.filter((text) => !askedWhoami.test(text));
        assert.deepEqual(others, []);
      } finally {
        await server.close();
        await provider.close();
      }
    },
  },
  {
    name: 'sign-in: who has no key to come back with is warned before signing out',
    server: { adminKey: false },
    async run({ browser, server }) {
      const reader = await Reader.open(browser, server);
      const page = await reader.page(`#signin=${await server.signInToken()}`);
      await waitForConnection(page, 'connected');
      const out = page.getByRole('button', { name: 'Sign out' });
      await out.click();
      await page.getByRole('heading', { name: 'Sign out without a key?' }).waitFor();
      await picture(page, 'sign-out-without-key');
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      await page.getByRole('tab', { name: 'Keys' }).click();
      await page.getByLabel('Name of the new key').fill('mine');
      await page.getByRole('button', { name: 'Make a key' }).click();
      await page.getByText('shown only now').waitFor();
      await page.keyboard.press('Escape');
      await out.click();
      await page.getByLabel('API key').waitFor();
      await page.getByText('“soma signin”').waitFor();
    },
  },
];
