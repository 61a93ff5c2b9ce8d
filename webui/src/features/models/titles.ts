import { words } from '../../kernel/texts/language';

/** What models are called, among the settings and commands. */
export const titles = words({
  models: 'Models',
  command: 'Set up a model',
  notYours: 'Models are set up by an administrator.',
});
