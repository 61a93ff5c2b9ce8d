import { words } from '../../kernel/texts/language';

/** Of signing in. */
export const texts = words({
  title: 'Sign in to SomaAgent01',
  text: 'Open the one-time link that the server printed when it started, or paste an API key. ' +
    '“soma signin” on the server’s machine prints a fresh link.',
  again: 'Your session has ended. What you were writing is still here, for you alone: sign in again to go on. ' +
    'A link that “soma signin” prints on the server’s machine does, too.',
  key: 'API key',
  busy: 'Signing in…',
  button: 'Sign in',
  byProvider: (name: string) => `Sign in with ${name}`,
});
