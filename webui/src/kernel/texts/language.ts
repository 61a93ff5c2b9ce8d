/** What the page is written in; its numbers and dates are, too. */
export const language = 'en';

/**
 * What a subject says. A text with numbers or names in it is a function, so that grammar is the
 * language's. Another language is another object of the same shape, to be chosen here; so texts are
 * read when they are shown, and by no module as it is loaded (texts.test.ts).
 */
export function words<Words>(english: Words): Words {
  return english;
}

export function count(n: number, one: string, many: string): string {
  return `${n.toLocaleString(language)} ${n === 1 ? one : many}`;
}
