import { describe, expect, test } from 'vitest';
import { emptyText, place, utf8Length, wholeText } from './byte_text';

const encoder = new TextEncoder();

describe('byte text', () => {
  test('counts the bytes that UTF-8 takes', () => {
    for (const text of ['', 'abc', 'é', '漢字', '👩‍🚀', 'a\u{10FFFF}z', 'ß€😀']) {
      expect(utf8Length(text)).toBe(encoder.encode(text).length);
    }
  });

  test('appends at the end', () => {
    let text = emptyText;
    for (const piece of ['Grüße, ', '世界', ' 👋']) text = place(text, text.bytes, piece);
    expect(text.text).toBe('Grüße, 世界 👋');
    expect(text.bytes).toBe(encoder.encode(text.text).length);
  });

  test('cuts at any code point, whatever pieces it was made of', () => {
    const points = [...'aé漢😀b\n€👋🏽z'];
    const random = seeded(7);
    for (let round = 0; round < 300; round++) {
      let text = emptyText;
      let i = 0;
      while (i < points.length) {
        const n = 1 + Math.floor(random() * 3);
        text = place(text, text.bytes, points.slice(i, i + n).join(''));
        i += n;
      }
      const at = Math.floor(random() * (points.length + 1));
      const head = points.slice(0, at).join('');
      const cut = place(text, utf8Length(head), '|');
      expect(cut.text).toBe(`${head}|`);
      expect(cut.bytes).toBe(encoder.encode(cut.text).length);
      expect(place(cut, cut.bytes, 'x').text).toBe(`${head}|x`);
    }
  });

  test('never leaves half a code point', () => {
    expect(place(wholeText('a😀'), 3, 'b').text).toBe('ab');
  });

  test('leaves the text that was cut as it was', () => {
    const before = wholeText('hello');
    place(before, 2, 'y');
    expect(before.text).toBe('hello');
  });

  test('costs the piece, not the text', () => {
    // 200,000 pieces would take minutes if each cost the text so far.
    let text = emptyText;
    for (let i = 0; i < 200_000; i++) text = place(text, text.bytes, 'wörd ');
    expect(text.bytes).toBe(1_200_000);
    expect(text.text.length).toBe(1_000_000);
  });
});

function seeded(seed: number): () => number {
  return () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
}
