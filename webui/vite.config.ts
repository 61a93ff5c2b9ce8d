import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string };

const firstPaintBytesMax = 150_000;

/** Fails a build whose first paint needs more compressed script than was promised. */
const budget: Plugin = {
  name: 'first-paint-budget',
  generateBundle(_, bundle) {
    const needed = new Set<string>();
    const take = (file: string) => {
      const chunk = bundle[file];
      if (needed.has(file) || chunk?.type !== 'chunk') return;
      needed.add(file);
      chunk.imports.forEach(take);
    };
    for (const chunk of Object.values(bundle)) {
      if (chunk.type === 'chunk' && chunk.isEntry) take(chunk.fileName);
    }
    const bytes = [...needed].reduce((sum, file) => {
      const chunk = bundle[file];
      return sum + (chunk?.type === 'chunk' ? gzipSync(chunk.code).length : 0);
    }, 0);
    if (bytes > firstPaintBytesMax) {
      this.error(`first paint needs ${bytes} bytes of compressed script, more than ${firstPaintBytesMax}`);
    }
    this.info(`first paint: ${bytes} bytes of compressed script`);
  },
};

// The gateway serves the page under a strict Content-Security-Policy ('self' only), so nothing may
// be inlined: no data: URIs, no inline polyfill. base './' lets the page live under any sub-path.
export default defineConfig({
  base: './',
  plugins: [budget],
  define: { __PAGE_VERSION__: JSON.stringify(version) },
  worker: { format: 'es' },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { '/v1': { target: process.env.GATEWAY_BASE_URL ?? 'http://localhost:21016' } },
  },
  // A machine that has much else to do is slow, not wrong.
  test: { include: ['src/**/*.test.{ts,tsx}'], testTimeout: 120_000, hookTimeout: 120_000 },
});
