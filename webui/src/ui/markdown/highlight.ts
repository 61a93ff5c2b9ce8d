/** Code that is longer is shown plain: colours are not worth a frozen page. */
const charsMax = 60_000;

/** The code as HTML with spans of classes `hljs-…`; null where its language is not known. */
export async function highlight(language: string, code: string): Promise<string | null> {
  if (language === '' || code.length > charsMax) return null;
  const { toHtml } = await import('./highlighter');
  return toHtml(language.toLowerCase(), code);
}
