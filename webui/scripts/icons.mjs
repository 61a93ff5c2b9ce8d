// Makes the icons of public/ from favicon.svg:  node scripts/icons.mjs
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch } from '../e2e/browser.mjs';

const folder = new URL('../public/', import.meta.url);
const svg = await readFile(new URL('favicon.svg', folder), 'utf8');
const browser = await launch();
/** `margin`: what a system may cut off, in per cent of a side. */
async function make(name, size, margin, ground) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>body { margin: 0; background: ${ground} }
    svg { display: block; width: ${100 - 2 * margin}vw; margin: ${margin}vw }</style>${svg}`);
  await page.screenshot({ path: fileURLToPath(new URL(name, folder)), omitBackground: true });
  await page.close();
}
await make('icon-192.png', 192, 0, 'transparent');
await make('icon-512.png', 512, 0, 'transparent');
await make('icon-maskable-512.png', 512, 12, '#0f6d63');
await browser.close();
