import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiTypes } from '../../../scripts/api_types.mjs';

test('api types: they are what schemas/openapi.json describes', async () => {
  // Otherwise: npm run api-types
  expect(await apiTypes()).toBe(readFileSync(new URL('schema.ts', import.meta.url), 'utf8'));
});
