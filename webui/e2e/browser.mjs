// Chromium as Debian ships it, and pages that remember what they logged and asked for.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--no-first-run',
    ],
  });
}

/** One reader: a context with its own cookie, whose pages tell what went wrong in them. */
export class Reader {
  /** Errors and warnings of the console, and exceptions nobody caught. */
  complaints = [];
  urls = [];

  static async open(browser, server, options = {}) {
    const reader = new Reader();
    reader.server = server;
    reader.context = await browser.newContext({
      viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...options,
    });
    reader.context.setDefaultTimeout(30_000);
    reader.context.on('request', (request) => reader.urls.push(request.url()));
    reader.context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) reader.complaints.push(message.text());
    });
    reader.context.on('weberror', (error) => reader.complaints.push(String(error.error())));
    return reader;
  }

  /** Signs in without the page, as a test of something else wants it. */
  async signIn(key = this.server.adminKey) {
    const answer = await this.context.request.post(`${this.server.origin}/v1/auth/login`, {
      data: { key },
    });
    if (!answer.ok()) throw new Error(`login: ${answer.status()} ${await answer.text()}`);
    return this;
  }

  async page(fragment = '') {
    const page = await this.context.newPage();
    await page.goto(this.server.pageUrl + fragment);
    return page;
  }

  /** What was asked for outside the page's own files and the API. */
  get strangers() {
    const { origin } = this.server;
    return this.urls.filter(
      (url) => !url.startsWith(`${origin}/ui/`) && !url.startsWith(`${origin}/v1/`) &&
        !url.startsWith(`blob:${origin}/`), // what the page made itself
    );
  }

  close() {
    return this.context.close();
  }
}

export async function send(page, text) {
  const box = page.getByRole('textbox', { name: 'Message', exact: true });
  await box.fill(text);
  // With a finger, Enter is a new line.
  await page.keyboard.press((await box.getAttribute('enterkeyhint')) === 'enter' ? 'Control+Enter' : 'Enter');
}

export function lastTurn(page) {
  return page.locator('.turn').last();
}

export function lastProse(page) {
  return page.locator('.turn .prose').last();
}

/** The text of the answer as it is read, white space aside. */
export async function readProse(page) {
  const text = await lastProse(page).textContent();
  return (text ?? '').replace(/\s+/g, ' ').trim();
}

/** All answers in `where`, as they are read. */
export async function proses(where) {
  return (await where.locator('.prose').allTextContents()).map((text) => text.trim());
}

export async function waitForStatus(page, status) {
  await page.locator(`.turn[data-status=${status}]`).last().waitFor();
}

export async function waitForWords(page, word) {
  await page.locator('.prose', { hasText: word }).last().waitFor();
}

export async function waitForConnection(page, state) {
  await page.locator(`.chat-head [data-connection=${state}]`).waitFor();
}

export function sessionIdOf(page) {
  return new URLSearchParams(new URL(page.url()).hash.slice(1)).get('s');
}

/** Keeps a picture where SCREENSHOTS names a folder. */
export async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}
