import { words } from '../kernel/texts/language';

/** Of the shell. */
export const texts = words({
  whoIn: (who: string, tenant: string) => `${who} in ${tenant}`,

  signOutAsked: {
    question: 'Sign out without a key?',
    text: 'This server has no key to sign in with. To come back you need a fresh link, which “soma signin” ' +
      'prints on the server’s machine. Or make a key first, under Settings, Keys.',
  },

  settings: {
    title: 'Settings',
    close: 'Close the settings',
  },

  settingsCommand: 'Open the settings',
});
