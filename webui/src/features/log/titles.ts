import { words } from '../../kernel/texts/language';

/** What the dialogs of the log are called, in menus and commands. */
export const titles = words({
  history: 'History',
  context: 'Context window',
  travel: 'Go back in time',
  events: 'Raw events',

  commands: {
    history: 'The conversation as text',
    context: 'What the model would be sent',
    travel: 'Go back in time',
  },
});
