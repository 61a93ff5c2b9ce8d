import DOMPurify from 'dompurify';
import katex from 'katex';

/** A formula as MathML, which browsers draw by themselves: no fonts, no styles. Null if it is none. */
export function toMathMl(tex: string, alone: boolean): Element | null {
  let html: string;
  try {
    html = katex.renderToString(tex, {
      output: 'mathml', displayMode: alone, throwOnError: true, trust: false, maxExpand: 200, maxSize: 20,
    });
  } catch {
    return null; // shown as it was written
  }
  const box = document.createElement('span');
  box.className = alone ? 'formula alone' : 'formula';
  box.append(DOMPurify.sanitize(html, {
    USE_PROFILES: { mathMl: true },
    ADD_TAGS: ['semantics', 'annotation'],
    ADD_ATTR: ['encoding'],
    RETURN_DOM_FRAGMENT: true,
  }));
  return box;
}
