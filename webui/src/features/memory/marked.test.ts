import { expect, test } from 'vitest';
import { excerpt, marked, wordsOf } from './marked';

const hits = (text: string, question: string) =>
  marked(text, wordsOf(question)).filter(({ isHit }) => isHit).map((piece) => piece.text);

test('marked: the pieces are the text, whatever is in it', () => {
  const texts = ['', 'plain', 'Ünïcödé 😀 e\u0301 漢字', '<img src=x onerror=alert(1)>', 'a'.repeat(5_000), '\u0301x'];
  for (const text of texts) {
    for (const question of ['e', 'unicode img', '漢字', '😀', '<', 'a', '']) {
      expect(marked(text, wordsOf(question)).map((piece) => piece.text).join('')).toBe(text);
    }
  }
});

test('marked: words are found whatever their case and accents, with what belongs to them', () => {
  expect(hits('Der Schlüssel liegt da', 'SCHLUSSEL')).toEqual(['Schlüssel']);
  expect(hits('un cafe\u0301 noir', 'café')).toEqual(['cafe\u0301']);
  expect(hits('my daughter’s name is Ada', 'what is my daughter called?')).toEqual(['my', 'daughter', 'is']);
});

test('marked: a short word is no part of another, a longer one may be', () => {
  expect(hits('this is it', 'is')).toEqual(['is']);
  expect(hits('grandmothers', 'mother')).toEqual(['mother']);
});

test('marked: where no spaces stand between words, two neighbours are found', () => {
  expect(hits('娘の名前はエイダです', '名前')).toEqual(['名前']);
  expect(hits('私の娘は元気', '娘は元')).toEqual(['娘は元']);
});

test('excerpt: stands around the first hit, and says where there is more', () => {
  const text = `${'so many words '.repeat(200)}needle ${'and on it goes '.repeat(200)}`;
  const part = excerpt(text, wordsOf('needle'), 300);
  expect(part).toContain('needle');
  expect([part[0], part.at(-1)]).toEqual(['…', '…']);
  expect(part.length).toBeLessThanOrEqual(302);
  expect(excerpt('short', wordsOf('needle'), 300)).toBe('short');
  expect(excerpt(text, [], 20)).toBe('so many words so man…');
});

test('excerpt: cuts no character in two', () => {
  const part = excerpt('😀'.repeat(100), [], 5);
  expect(part).toBe('😀😀…');
});
