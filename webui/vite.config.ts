import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string };

// The gateway serves the page under a strict Content-Security-Policy ('self' only), so nothing may
// be inlined: no data: URIs, no inline polyfill. base './' lets the page live under any sub-path.
export default defineConfig({
  base: './',
  define: { __PAGE_VERSION__: JSON.stringify(version) },
  worker: { format: 'es' },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { '/v1': { target: process.env.SOMA_BASE_URL ?? 'http://localhost:21016' } },
  },
  test: { include: ['src/**/*.test.ts'] },
});
