import { Tokenizer, type Tokens } from 'marked';

/**
 * Where CommonMark's rule for emphasis, made for words between spaces, does not see what was meant.
 * It asks of a mark beside punctuation that a space be on its other side: Chinese, Japanese and
 * Korean have none there, and models write `**Note:**text`.
 */
const space = /^\s?$/u;
const punctuation = /^[\p{P}\p{S}]$/u;
const cjk = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\u3000-\u303f\uff00-\uffef]$/u;
/** What ends a phrase, and is not the beginning of another. */
const ending = /^[.,:;!?)\]}"'`”’»…%]$/u;
/** Longer than this, it is no phrase. */
const charsMax = 1_000;

function firstOf(text: string): string {
  return String.fromCodePoint(...[...text.slice(0, 2)].slice(0, 1).map((c) => c.codePointAt(0) ?? 0));
}

function lastOf(text: string): string {
  return [...text.slice(-2)].at(-1) ?? '';
}

/** Whether a mark between these may begin, or with the two exchanged may end, by CommonMark. */
function flanks(outside: string, inside: string): boolean {
  return !space.test(inside) && (!punctuation.test(inside) || space.test(outside) || punctuation.test(outside));
}

/**
 * Where the emphasis that begins `text` ends; 0 where none does, or where CommonMark sees it itself.
 * `masked` is the same text with the insides of code and links made to letters.
 */
function endOf(mark: '*' | '**', text: string, masked: string, before: string): number {
  const inside = firstOf(text.slice(mark.length));
  if (space.test(inside) || inside === '*') return 0;
  const opens = flanks(before, inside);
  const opensHere = opens || cjk.test(before) || cjk.test(inside);
  if (!opensHere) return 0;
  const isFree = space.test(before) || punctuation.test(before);
  for (let at = masked.indexOf('*', mark.length); at > 0 && at < charsMax; at = masked.indexOf('*', at)) {
    const run = /^\*+/.exec(masked.slice(at))?.[0].length ?? 1;
    const end = at;
    at += run;
    // Another kind of emphasis within.
    if (run !== mark.length) continue;
    const [last, after] = [lastOf(text.slice(0, end)), firstOf(text.slice(end + run))];
    // Another begins within: CommonMark knows how they nest.
    if (space.test(last)) return 0;
    const closes = flanks(after, last);
    if (opens && closes) return 0;
    const closesHere = closes || cjk.test(after) || cjk.test(last) ||
      (mark === '**' && isFree && ending.test(last));
    return closesHere ? end : 0;
  }
  return 0;
}

/** For `Marked`: strikes only what two tildes enclose, since one stands for "about" and "to". */
export const emphasis = {
  del(src: string): Tokens.Del | false | undefined {
    return src.startsWith('~~') ? false : undefined;
  },
  emStrong(this: Tokenizer, src: string, maskedSrc: string, before = ''): Tokens.Em | Tokens.Strong | false {
    const mark = /^\*\*?(?!\*)/.exec(src)?.[0] as '*' | '**' | undefined;
    if (!mark) return false;
    const end = endOf(mark, src, maskedSrc.slice(-src.length), lastOf(before));
    if (end === 0) return false;
    const text = src.slice(mark.length, end);
    const raw = src.slice(0, end + mark.length);
    const tokens = this.lexer.inlineTokens(text);
    return mark === '**' ? { type: 'strong', raw, text, tokens } : { type: 'em', raw, text, tokens };
  },
};
