import { words } from '../../kernel/texts/language';

/** Of code in a text. */
export const texts = words({
  plain: 'text',
  wrap: 'Wrap',
  wrapHint: 'Go on in the next line where a line is too long',
  label: (language: string) => language === '' ? 'Code' : `Code in ${language}`,
});
