export interface Piece {
  readonly text: string;
  readonly isHit: boolean;
}

/** Shorter words are looked for as whole words: “is” is no part of “this”. */
const partChars = 3;
/** Scripts that put no spaces between words: two neighbours are found as such. */
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;
const letter = /[\p{L}\p{N}]/u;

/** As the index compares: whatever its case and its accents. */
function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

/** What a question's words are looked for as, each once. */
export function wordsOf(question: string): readonly string[] {
  const found = new Set<string>();
  for (const word of plain(question).split(/[^\p{L}\p{N}]+/u)) {
    if (word === '') continue;
    found.add(word);
    if (!unspaced.test(word)) continue;
    const letters = [...word];
    for (let i = 0; i + 1 < letters.length; i++) found.add(`${letters[i]}${letters[i + 1]}`);
  }
  return [...found];
}

/** The text in pieces that, one behind another, are the text: those that are one of the words, and the rest. */
export function marked(text: string, words: readonly string[]): readonly Piece[] {
  if (words.length === 0 || text === '') return [{ text, isHit: false }];
  const { flat, at } = flattened(text);
  const isHit = new Uint8Array(text.length);
  for (const word of words) {
    for (let i = flat.indexOf(word); i >= 0; i = flat.indexOf(word, i + word.length)) {
      const isPart = word.length >= partChars || unspaced.test(word);
      if (isPart || isWhole(flat, i, i + word.length)) isHit.fill(1, at[i], at[i + word.length]);
    }
  }
  const pieces: Piece[] = [];
  for (let from = 0; from < text.length;) {
    let to = from + 1;
    while (to < text.length && isHit[to] === isHit[from]) to++;
    pieces.push({ text: text.slice(from, to), isHit: isHit[from] === 1 });
    from = to;
  }
  return pieces;
}

/** About `chars` of the text, around the first of the words; '…' where there is more. */
export function excerpt(text: string, words: readonly string[], chars: number): string {
  if (text.length <= chars) return text;
  const pieces = marked(text, words);
  const hit = pieces.findIndex((piece) => piece.isHit);
  const before = pieces.slice(0, Math.max(hit, 0)).reduce((sum, piece) => sum + piece.text.length, 0);
  let from = before > chars / 4 ? before - Math.floor(chars / 8) : 0;
  if (from > 0) from += Math.max(0, text.slice(from, before).search(/\s/) + 1);
  const to = from + chars;
  const end = to >= text.length ? text.length : cutAt(text, to);
  return `${from > 0 ? '…' : ''}${text.slice(from, end)}${end < text.length ? '…' : ''}`;
}

/** Not in the middle of a pair that is one character. */
function cutAt(text: string, to: number): number {
  const unit = text.charCodeAt(to - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? to - 1 : to;
}

/** The text as it is compared, and where in the text each of its characters begins. */
function flattened(text: string): { flat: string; at: number[] } {
  const at: number[] = [];
  let flat = '';
  let i = 0;
  for (const character of text) {
    const as = plain(character);
    for (let k = 0; k < as.length; k++) at.push(i);
    flat += as;
    i += character.length;
  }
  at.push(text.length);
  return { flat, at };
}

function isWhole(text: string, from: number, to: number): boolean {
  return !letter.test(text.charAt(from - 1)) && !letter.test(text.charAt(to));
}
