import { words } from '../../kernel/texts/language';

/** What this is called among the settings. */
export const titles = words({
  privacy: 'Privacy',
});
