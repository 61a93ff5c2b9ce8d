import { words } from '../../kernel/texts/language';

/** Of how the page looks. */
export const texts = words({
  theme: 'Colours',
  themes: { system: 'As the system', light: 'Light', dark: 'Dark' },
  size: 'Size of text',
  width: 'Width of a chat',
  widths: { narrow: 'Easy to read', wide: 'Wide' },
  thinking: 'What a model thinks',
  thinkings: { folded: 'Folded', open: 'Open' },
  hint: 'Kept in this browser.',
});
