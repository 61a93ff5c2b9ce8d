import { expect, test } from 'vitest';
import { fieldsFor, inputsOf } from './inputs';

const fields = fieldsFor({
  type: 'object',
  required: ['code'],
  properties: {
    retries: { type: 'integer', minimum: 0, default: 2 },
    language: { enum: ['python', 'bash'] },
    code: { type: 'string', description: 'What to run' },
    quiet: { type: 'boolean' },
    tags: { type: 'array' },
    name: { type: ['null', 'string'] },
  },
});

test('tool inputs: each is asked for as its schema says, the required first', () => {
  expect(fields.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    'code text', 'retries number', 'language choice', 'quiet switch', 'tags json', 'name line',
  ]);
});

test('tool inputs: texts become values of the schema’s types, what is empty is left out', () => {
  expect(inputsOf(fields, { code: 'print(1)', language: 'bash', tags: '["a"]', quiet: 'true' })).toEqual({
    inputs: { code: 'print(1)', retries: 2, language: 'bash', quiet: true, tags: ['a'] },
  });
});

test('tool inputs: what cannot be read is named', () => {
  expect(inputsOf(fields, { code: 'x', retries: '1.5' })).toEqual({ field: 'retries' });
  expect(inputsOf(fields, { code: 'x', tags: '[' })).toEqual({ field: 'tags' });
});
