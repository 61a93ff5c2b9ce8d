import { count, language, words } from '../../kernel/texts/language';

/** Of the Memory view. */
export const texts = words({
  back: 'Back to the chat',
  more: 'More about memory',
  region: 'What is remembered',

  status: {
    stored: (n: number) => count(n, 'memory', 'memories'),
    waiting: (n: number) => `${count(n, 'change waits', 'changes wait')} for the index`,
    waitingSince: (n: number, seconds: string) => `${count(n, 'change waits', 'changes wait')} for the index, the oldest for ${seconds} s`,
    unsent: (n: number) => `${count(n, 'change waits', 'changes wait')} for SomaBrain`,
    unsentSince: (n: number, seconds: string) => `${count(n, 'change waits', 'changes wait')} for SomaBrain, the oldest for ${seconds} s`,
    replicated: (n: number) => `${n.toLocaleString(language)} in SomaBrain`,
    failed: (n: number) => `${n.toLocaleString(language)} refused by SomaBrain`,
    vectors: (n: number) => `${count(n, 'memory is', 'memories are')} found by words alone so far`,
    behind: (seconds: string) => `the replica is ${seconds} s behind`,
    breaker: {
      closed: '',
      open: 'SomaBrain is away and left alone for a while',
      half_open: 'SomaBrain is tried again',
    } as Readonly<Record<string, string>>,
    degraded: 'Not all can be found at the moment.',
  },

  search: 'Search what is remembered',
  searchField: 'Search memories',
  filters: 'Filters',
  filtersOn: (n: number) => `Filters, ${n} in use`,
  clear: 'Clear the filters',
  kind: 'Kind',
  anyKind: 'Any kind',
  kinds: { message: 'What was said', note: 'Notes', knowledge: 'Knowledge', summary: 'Summaries' },
  state: 'State',
  anyState: 'Any state',
  states: { stored: 'Here alone', replicated: 'In SomaBrain', failed: 'Refused by SomaBrain' },
  chat: 'Chat',
  anyChat: 'Any chat',
  unknownChat: 'One that is not in the list',
  tag: 'Tag',
  anyTag: 'Any tag',
  pinned: 'Pinned only',

  none: 'Nothing is remembered yet. What you and the agent say will be kept here, and you can note something yourself.',
  noneFits: 'No memory fits.',
  found: (n: number) => `${count(n, 'memory', 'memories')} found, the best first.`,
  foundMost: (n: number) => `The ${n} that fit best.`,
  listed: (n: number, isAll: boolean) => isAll ? `${count(n, 'memory', 'memories')}, the newest first.` : `The newest ${n} of more.`,
  searching: 'Looking through it…',
  readOn: 'Show older ones',

  item: {
    by: (who: string) => `by ${who}`,
    pin: 'Pin',
    unpin: 'Unpin',
    pinThe: (gist: string) => `Pin “${gist}”`,
    unpinThe: (gist: string) => `Unpin “${gist}”`,
    isPinned: 'Pinned',
    edit: 'Edit',
    editThe: (gist: string) => `Edit “${gist}”`,
    tagged: (tag: string) => `Show what is tagged “${tag}”`,
    importance: (value: string) => `importance ${value}`,
    changed: (when: string) => `changed ${when}`,
    cut: 'There was more of it: the message has all.',
  },

  add: 'Note something',
  note: 'What is to be remembered',
  tags: 'Tags, with commas between',
  importance: 'Importance',
  noted: 'Noted.',
  notedBefore: 'That was noted before.',
  full: 'There is no room for more notes: forget some first.',

  edit: {
    text: 'Text',
    tooLong: 'This is too long to be changed here. Its tags and importance can be.',
    event: 'The message it comes from stays as it is.',
    tagRules: 'At most sixteen tags of 64 characters.',
    empty: 'A memory needs a text.',
    gone: 'It was forgotten meanwhile.',
    keepAsNote: 'Keep mine as a note',
    opened: 'Being edited',
  },

  conflict: {
    title: 'It was changed while you edited it.',
    theirs: 'How it is now',
    mine: 'How you have it',
    takeTheirs: 'Take theirs, drop mine',
    saveMine: 'Save mine over it',
    noTags: 'no tags',
  },

  refused: {
    title: 'Why SomaBrain refused some',
    none: 'What it refused is on its way again.',
    tried: (times: number, when: string) => `${count(times, 'try', 'tries')}, the last ${when}`,
    again: 'Send again',
    more: 'There are more; these are the oldest.',
  },

  sync: {
    again: 'Send SomaBrain what it lacks',
    queued: (n: number) => n === 0 ? 'SomaBrain lacks nothing.' : `${count(n, 'memory is', 'memories are')} on the way to SomaBrain.`,
  },

  exporting: {
    all: 'Export all as NDJSON',
    these: 'Export these as NDJSON',
    at: (n: number) => `Reading for the export: ${count(n, 'memory', 'memories')} so far`,
    done: (n: number) => `Exported ${count(n, 'memory', 'memories')}.`,
  },
});
