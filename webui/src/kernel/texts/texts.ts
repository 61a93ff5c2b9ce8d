import { words } from './language';

/** What every subject says, and what the page says of itself. */
export const t = words({
  newChat: 'New chat',
  untitled: 'Untitled chat',
  cancel: 'Cancel',
  close: 'Close',
  copy: 'Copy',
  copied: 'Copied',
  copyRequestId: 'Copy request id',
  delete: 'Delete',
  discard: 'Discard',
  reading: 'Reading',
  rename: 'Rename',
  retry: 'Retry',
  save: 'Save',
  send: 'Send',
  signOut: 'Sign out',
  stop: 'Stop',
  tryAgain: 'Try again',
  undo: 'Undo',
  deleteThe: (name: string) => `Delete “${name}”`,
  unreachable: 'The server cannot be reached.',
  somethingWrong: 'Something went wrong.',

  connection: {
    connecting: 'Connecting…',
    connected: 'Connected',
    reconnecting: 'Reconnecting…',
    offline: 'Offline',
    parked: 'Not live: shown in too many windows',
    degraded: (what: string) => `Degraded: ${what}`,
    /** What is not up, by the server's names; others are shown as they are. */
    parts: {
      llm: 'no model is set up',
      event_writer: 'the disk is behind',
      storage: 'the disk is nearly full',
    } as Readonly<Record<string, string>>,
    inSeconds: (seconds: number) => `in ${seconds} s`,
    now: 'Now',
    resume: 'Show live',
  },

  update: {
    there: 'The server has a newer version of this page.',
    kept: 'What you wrote stays.',
    reload: 'Reload',
    needed: 'The server was updated: reload the page to open this.',
  },

  unsaved: {
    question: 'Discard your changes?',
    text: 'What you changed here is not saved.',
    discard: 'Discard',
    keep: 'Keep editing',
  },

  /** By the code of a refusal; what is not here is told in the server's words. */
  problems: {
    'request.invalid': 'The server did not accept what was entered.',
    'request.too_large': 'This is more than the server takes at once.',
    'event.too_large': 'This is longer than a chat can keep in one piece.',
    'auth.forbidden': 'This is for administrators.',
    'policy.denied': 'The server’s policy does not allow this.',
    'message.not_found': 'This answer is not in the chat any more.',
    'tool.entry_changed': 'Somebody else changed the tools meanwhile, so nothing was saved. This is how they are now.',
    'session.busy': 'The agent is at work: wait for it, or stop it first.',
    'session.paused': 'The chat is paused: resume it first.',
    'session.queue_full': 'Too many messages are waiting in this chat already.',
    'session.nothing_to_retry': 'There is nothing to ask again.',
    'session.nothing_to_do': 'There is nothing to go on with.',
    'session.quarantined': 'This chat failed several times and was set aside. Restart it to go on.',
    'quota.exceeded': 'This is more than you may ask for at the moment.',
    'storage.full': 'The server’s disk is full: nothing was kept.',
    'quota.storage': 'The chats take all the space they may have: delete or clear some.',
    'server.busy': 'The server has too much to do at the moment.',
    'import.invalid': 'This is no chat that was exported whole.',
  } as Readonly<Record<string, string>>,

  toasts: {
    region: 'Messages of the page',
    dismiss: 'Dismiss',
    times: (n: number) => ` (${n} times)`,
  },

  signIn: {
    linkUsed: 'That sign-in link is not valid any more. “soma signin” on the server’s machine prints a fresh one.',
    unknownKey: 'The server does not know that key.',
    notByProvider: 'That sign-in came to nothing. Try it again.',
    failed: {
      'auth.invalid': 'That sign-in was not completed, or took too long. Try it again.',
      'auth.forbidden': 'You are known there, but not let in here: ask who runs this server.',
      'dependency.unavailable': 'Nobody can sign in that way at the moment: the server cannot reach it.',
      'quota.exceeded': 'Too many sign-ins failed: wait a minute before you try it again.',
    } as Readonly<Record<string, string>>,
  },
});
