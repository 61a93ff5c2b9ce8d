import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Asserts that axe finds nothing wrong in what is shown. */
export async function assertAccessible(page, what) {
  await page.evaluate(`globalThis.axe ?? (() => { ${source} })()`);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, any, all }) =>
        `${html.slice(0, 140)} ${[...any, ...all].map((c) => c.message).join('; ').slice(0, 160)}`)
        .slice(0, 4).join(' | ')}`);
  });
  if (found.length > 0) throw new Error(`${what}: ${found.join('\n')}`);
}
