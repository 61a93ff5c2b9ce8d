import type { TokenizerAndRendererExtension } from 'marked';

/**
 * Formulas in TeX: `$$…$$` and `\[…\]` stand alone, `$…$` and `\(…\)` in a line. They become
 * `<code class="math">`, which is what is shown until the renderer came, and if it never comes.
 *
 * A `$` begins a formula only behind no letter or digit and before something else than a space, and
 * ends one only behind something else than a space and before no letter or digit, but for such as
 * `$n$th`: prices, variables of a shell and paths stay what they are.
 */
const inline = /^(?:\$(?!\s|\$)((?:\\.|[^\\$`\n])+?)(?<!\s)\$(?:(?![A-Za-z0-9_])|(?<=[\w})\]']\$)(?=(?:th|st|nd|rd|s)\b))|\\\(([\s\S]+?)\\\))/;
const alone = /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/;
const aloneInLine = /^(?:\$\$([^\n]+?)\$\$|\\\[([\s\S]+?)\\\])/;

/** Numbers of notes, which escaped brackets are about more often than formulas are. */
const notes = /^\s*\d+(?:\s*[,;–-]\s*\d+)*\s*$/;
const sign = /[=+^_<>{}/*|\\∈≤≥≈∑∫·×-]/;
/** Words, and nothing that a formula has: what was escaped is text. */
const prose = /^\s*(?:[A-Za-z]{4,}|[A-Za-z]{2,}(?:[ ,;]+[A-Za-z]{2,})+)[.!?]?\s*$/;
/** A sum of money and what follows it: `$5 and 10$`. */
const money = /^\d[\d.,]*[kKMB]?\s*(?:\([^)]*$|[,;]\s|[A-Za-z]{2,}\b)/;

interface Found {
  readonly raw: string;
  readonly tex: string;
}

type Rule = (text: string, before: string) => Found | undefined;

function found(match: RegExpExecArray | null): Found | undefined {
  return match ? { raw: match[0], tex: (match[1] ?? match[2] ?? '').trim() } : undefined;
}

const ofBlock: Rule = (text) => {
  const formula = found(alone.exec(text));
  return formula && text.startsWith('\\') && notes.test(formula.tex) ? undefined : formula;
};

const aloneOfLine: Rule = (text, before) => {
  const formula = found(aloneInLine.exec(text));
  if (!formula || (text.startsWith('$') && isWord(before))) return undefined;
  return text.startsWith('\\') && !sign.test(formula.tex) ? undefined : formula;
};

const ofLine: Rule = (text, before) => {
  const formula = found(inline.exec(text));
  if (!formula) return undefined;
  if (text.startsWith('\\')) return prose.test(formula.tex) ? undefined : formula;
  return isWord(before) || (money.test(formula.tex) && !formula.tex.includes('\\')) ? undefined : formula;
};

function isWord(char: string): boolean {
  return /^[A-Za-z0-9_$]$/.test(char);
}

function extension(
  name: string, level: 'block' | 'inline', rule: Rule, html: (tex: string) => string,
): TokenizerAndRendererExtension {
  return {
    name,
    level,
    // A block begins with its line, or every price would break its paragraph.
    start: (text) => (level === 'block' ? /\n(?=\$\$|\\\[)/ : /\$|\\[([]/).exec(text)?.index,
    tokenizer: (text, tokens) => {
      const formula = rule(text, tokens.at(-1)?.raw.slice(-1) ?? '');
      return formula && { type: name, ...formula };
    },
    renderer: (token) => html(escaped(token.tex as string)),
  };
}

export const mathExtensions: readonly TokenizerAndRendererExtension[] = [
  extension('math_alone', 'block', ofBlock, (tex) => `<p><code class="math alone">${tex}</code></p>`),
  extension('math_alone_inline', 'inline', aloneOfLine, (tex) => `<code class="math alone">${tex}</code>`),
  extension('math', 'inline', ofLine, (tex) => `<code class="math">${tex}</code>`),
];

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Draws the formulas in `box`, once the renderer is here. */
export async function drawMath(box: Element): Promise<void> {
  const waiting = box.querySelectorAll('code.math');
  if (waiting.length === 0) return;
  const { toMathMl } = await import('./math_renderer');
  for (const code of waiting) {
    const span = toMathMl(code.textContent ?? '', code.classList.contains('alone'));
    if (span) code.replaceWith(span);
  }
}
