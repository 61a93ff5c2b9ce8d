// Writes src/kernel/api/schema.ts: the types of what schemas/openapi.json describes. `--check` only
// says whether it is as it would be written.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const target = fileURLToPath(new URL('../src/kernel/api/schema.ts', import.meta.url));
const source = fileURLToPath(new URL('../../schemas/openapi.json', import.meta.url));

/** The schemas alone: the page names its paths itself. */
export async function apiTypes() {
  const { openapi, info, components } = JSON.parse(readFileSync(source, 'utf8'));
  const types = await openapiTS({ openapi, info, paths: {}, components: { schemas: components.schemas } }, { emptyObjectsUnknown: true });
  const text = astToString(types);
  return `// Made by scripts/api_types.mjs from schemas/openapi.json; \`npm run api-types\` makes it anew.\n\n${text}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = await apiTypes();
  if (!process.argv.includes('--check')) writeFileSync(target, text);
  else if (readFileSync(target, 'utf8') !== text) {
    console.error('src/kernel/api/schema.ts is not what schemas/openapi.json describes: npm run api-types');
    process.exitCode = 1;
  }
}
