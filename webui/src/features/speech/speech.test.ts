import { beforeAll, expect, test } from 'vitest';
import { fakePage } from '../../testing/fake_page';

let asSpoken: typeof import('./speech').asSpoken;
let endOfSentences: typeof import('./speech').endOfSentences;
let voiceFor: typeof import('./speech').voiceFor;

beforeAll(async () => {
  fakePage();
  ({ asSpoken, endOfSentences, voiceFor } = await import('./speech'));
});

test('speech: no voice over the network unless it was chosen', () => {
  const voice = (name: string, lang: string, localService: boolean, isOwn = false) =>
    ({ name, lang, localService, default: isOwn });
  const near = voice('Near', 'de-DE', true);
  const english = voice('English', 'en-GB', true);
  const far = voice('Far', 'en-US', false, true);
  expect(voiceFor([near, english, far], '')).toBe(english);
  expect(voiceFor([near, far], '')).toBe(near);
  expect(voiceFor([near, english, far], 'Far')).toBe(far);
  expect(voiceFor([near, far], 'gone')).toBe(near);
  expect(voiceFor([near, voice('Own', 'fr-FR', true, true)], '')?.name).toBe('Own');
  expect(voiceFor([far], '')).toBeUndefined();
});

test('speech: only whole sentences of a growing text', () => {
  expect('One. Two'.slice(0, endOfSentences('One. Two'))).toBe('One.');
  expect(endOfSentences('3.14 is pi')).toBe(0);
  expect(endOfSentences('好。 x')).toBe(2);
});

test('speech: Markdown is said without its marks, and code is not said', () => {
  expect(asSpoken('## Title\n\n- **one** [two](https://x.invalid)\n\n```js\nx()\n```\nend'))
    .toBe('Title one two end');
});
