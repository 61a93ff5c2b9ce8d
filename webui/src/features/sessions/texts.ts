import { count, words } from '../../kernel/texts/language';

/** Of the list of chats. */
export const texts = words({
  list: {
    chats: 'Chats',
    show: 'Show the chats',
    search: 'Search chats',
    searchKeys: 'Search chats (Ctrl + K)',
    searching: 'Searching…',
    none: 'Your chats will be listed here.',
    newKeys: 'New chat (Ctrl + Shift + O)',
    noneFound: 'No chat has that in its name.',
    nameOfChat: 'Name of the chat',
    today: 'Today',
    yesterday: 'Yesterday',
    lastWeek: 'The last seven days',
    earlier: 'Earlier',
    busy: 'The agent is at work',
    unread: 'There is something new',
    renameThe: (name: string) => `Rename “${name}”`,
    deleted: (name: string) => `“${name}” is deleted, and what is remembered of it.`,
  },

  /** Of a chat that is another's, in the header and the list. */
  ownedBy: (owner: string) => `of ${owner}`,

  shareTitle: 'Who sees this chat',

  share: {
    hint: 'Whoever sees it reads all of it, what it was told from memory too, and talks in it.',
    who: 'It is seen by',
    visibilities: { private: 'Its owner and those below', tenant: 'Everybody here' },
    owner: (owner: string) => `It is ${owner}’s, who says who sees it.`,
    add: 'Share with (user)',
    addIt: 'Share',
    with: 'Shared with',
    nobody: 'It is shared with nobody yet.',
    remove: (user: string) => `No longer share with ${user}`,
  },

  moveTitle: 'Import and export',

  move: {
    out: 'Take this chat out',
    outHint: 'NDJSON has every event and can be imported again; Markdown is to be read.',
    ndjson: 'NDJSON',
    markdown: 'Markdown',
    in: 'Take a chat in',
    inHint: 'A file of NDJSON that was exported here or elsewhere. Nothing in it is run.',
    choose: 'Choose a file',
    busy: 'Importing…',
    imported: (n: number) => `Imported ${count(n, 'event', 'events')}.`,
    importedBefore: 'This file was imported before: here is that chat.',
  },

  commands: {
    export: 'Download this chat',
    rename: 'Give this chat another name',
    new: 'Begin a new chat',
  },
});
