import type { TokenizerAndRendererExtension } from 'marked';

/**
 * Formulas in TeX: `$$…$$` and `\[…\]` stand alone, `$…$` and `\(…\)` in a line. They become
 * `<code class="math">`, which is what is shown until the renderer came, and if it never comes.
 *
 * A `$` begins a formula only before something else than a space, and ends one only behind
 * something else than a space and not before a digit: prices stay prices.
 */
const inline = /^(?:\$(?!\s|\$)((?:\\.|[^\\$\n])+?)(?<!\s)\$(?!\d)|\\\(([\s\S]+?)\\\))/;
const alone = /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/;

function extension(
  name: string, level: 'block' | 'inline', rule: RegExp, html: (tex: string) => string,
): TokenizerAndRendererExtension {
  return {
    name,
    level,
    // A block begins with its line, or every price would break its paragraph.
    start: (text) => (level === 'block' ? /\n(?=\$\$|\\\[)/ : /\$|\\[([]/).exec(text)?.index,
    tokenizer: (text) => {
      const match = rule.exec(text);
      if (!match) return undefined;
      return { type: name, raw: match[0], tex: (match[1] ?? match[2] ?? '').trim() };
    },
    renderer: (token) => html(escaped(token.tex as string)),
  };
}

export const mathExtensions: readonly TokenizerAndRendererExtension[] = [
  extension('math_alone', 'block', alone, (tex) => `<p><code class="math alone">${tex}</code></p>`),
  extension('math_alone_inline', 'inline', /^(?:\$\$([^\n]+?)\$\$|\\\[([\s\S]+?)\\\])/,
    (tex) => `<code class="math alone">${tex}</code>`),
  extension('math', 'inline', inline, (tex) => `<code class="math">${tex}</code>`),
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
