import { expect, test } from 'vitest';
import { asSpoken, endOfSentences } from './speech';

test('speech: only whole sentences of a growing text', () => {
  expect('One. Two'.slice(0, endOfSentences('One. Two'))).toBe('One.');
  expect(endOfSentences('3.14 is pi')).toBe(0);
  expect(endOfSentences('好。 x')).toBe(2);
});

test('speech: Markdown is said without its marks, and code is not said', () => {
  expect(asSpoken('## Title\n\n- **one** [two](https://x.invalid)\n\n```js\nx()\n```\nend'))
    .toBe('Title one two end');
});
