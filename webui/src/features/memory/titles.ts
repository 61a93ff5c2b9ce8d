import { words } from '../../kernel/texts/language';

/** What the Memory view is called, in the sidebar and among the commands. */
export const titles = words({
  memory: 'Memory',
  command: 'Look through what is remembered',
});
