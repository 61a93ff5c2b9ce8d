import { words } from '../../kernel/texts/language';

/** What the Audit view is called, in the sidebar and among the commands. */
export const titles = words({
  audit: 'Audit',
  command: 'Look through what was done, and by whom',
});
