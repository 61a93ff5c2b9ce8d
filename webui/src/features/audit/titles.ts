import { words } from '../../kernel/texts/language';

/** What the Audit view is called, in the sidebar. */
export const titles = words({
  audit: 'Audit',
});
