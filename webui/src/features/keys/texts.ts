import { words } from '../../kernel/texts/language';

/** Of API keys. */
export const texts = words({
  title: 'API keys',
  hint: 'Programs and people sign in with them. A key is shown once, when it is made.',
  none: 'There are none yet.',
  name: 'Name of the new key',
  role: 'What it may do',
  roles: { user: 'Use chats', admin: 'Administer' },
  make: 'Make a key',
  made: (name: string) => `Key “${name}”, shown only now:`,
  hide: 'Hide the key',
  revoke: 'Revoke',
  revokeThe: (name: string) => `Revoke “${name}”`,
  question: (name: string) => `Revoke “${name}”?`,
  warning: 'Whatever uses it is refused from then on.',
  about: (prefix: string, role: 'admin' | 'user', made: string, used: string) =>
    `${prefix}… · ${role} · made ${made} · ${used === '' ? 'never used' : `last used ${used}`}`,
});
