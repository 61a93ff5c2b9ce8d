const gistChars = 60;

/** A memory in a few words, to name it by. */
export function gistOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const letters = [...line];
  return letters.length <= gistChars ? line : `${letters.slice(0, gistChars).join('').trimEnd()}…`;
}
