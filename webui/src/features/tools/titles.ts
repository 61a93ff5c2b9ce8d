import { words } from '../../kernel/texts/language';

/** What running a tool and the catalog are called, in menus and commands. */
export const titles = words({
  tool: 'Run a tool',
  tools: 'Tools',
  command: 'Run a tool',
});
