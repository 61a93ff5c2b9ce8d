// The words that make the rehearsal server say what a test expects; docs/rehearsal.md has them all.
const directive = (pairs) => `[[rehearsal ${pairs.join(' ')}]]`;

/** A message whose answer is exactly `text`, a word each `delayMs`. */
export function askFor(text, { delayMs = 5, thinking = 0 } = {}) {
  const pairs = [`delay_ms=${delayMs}`, `text=${encodeURIComponent(text)}`];
  if (thinking > 0) pairs.push(`thinking=${thinking}`);
  return `Please say it. ${directive(pairs)}`;
}

/** A message for whose answer the model calls this tool first. */
export function askForTool(tool, inputs) {
  const pairs = [`tool=${tool}`, `inputs=${encodeURIComponent(JSON.stringify(inputs))}`];
  return `Please use it. ${directive(pairs)}`;
}

/** A message that the model's provider answers with an error that no other try mends. */
export const askForFailure = `Please fail. ${directive(['status=400'])}`;

/** Words of one to four bytes a letter, each with its number: a gap or a repeat shows. */
export function numbered(count) {
  const kinds = ['word', 'größe', '漢字', 'smile😀'];
  return Array.from({ length: count }, (_, i) => `${kinds[i % kinds.length]}${i + 1}`).join(' ');
}
