import type { SessionAction } from '../api/types';

const count = (n: number, one: string, many: string) =>
  `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** English. A text with numbers or names in it is a function, so that grammar is the language's. */
export const en = {
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
  whoIn: (who: string, tenant: string) => `${who} in ${tenant}`,

  list: {
    chats: 'Chats',
    show: 'Show the chats',
    search: 'Search chats',
    searchKeys: 'Search chats (Ctrl + K)',
    searching: 'Searching…',
    none: 'Your chats will be listed here.',
    noneFound: 'No chat has that in its name.',
    nameOfChat: 'Name of the chat',
    today: 'Today',
    yesterday: 'Yesterday',
    lastWeek: 'The last seven days',
    earlier: 'Earlier',
    busy: 'The agent is at work',
    unread: 'There is something new',
    renameThe: (name: string) => `Rename “${name}”`,
    deleteThe: (name: string) => `Delete “${name}”`,
    deleted: (name: string) => `“${name}” is deleted.`,
  },

  connection: {
    connecting: 'Connecting…',
    connected: 'Connected',
    reconnecting: 'Reconnecting…',
    offline: 'Offline',
    parked: 'Not live: shown in too many windows',
    degraded: (what: string) => `Degraded: ${what}`,
    inSeconds: (seconds: number) => `in ${seconds} s`,
    now: 'Now',
    resume: 'Show live',
  },

  banner: {
    rehearsal: 'Rehearsal server, not a model.',
    scripted: 'Answers are scripted.',
    notUp: 'Not everything is up:',
    setUp: 'Set up a model',
  },

  signIn: {
    title: 'Sign in to SomaAgent01',
    text: 'Open the one-time link that the server printed when it started, or paste an API key.',
    key: 'API key',
    busy: 'Signing in…',
    button: 'Sign in',
    linkUsed: 'That sign-in link is not valid any more.',
    unknownKey: 'The server does not know that key.',
  },

  greeting: {
    title: 'What shall we work on?',
    text: 'Every word is written down before you see it. Close the page, lose the network, restart ' +
      'the server: the answer goes on where it was.',
  },

  gone: {
    title: 'This chat is not here any more',
    text: 'It was deleted, or it belongs to someone else.',
  },

  chat: {
    agentSaid: 'The agent said',
    youSaid: 'You said',
    conversation: 'Conversation',
    answering: 'The agent is answering',
    opening: 'Opening the chat',
    earlier: 'Show earlier messages',
    latest: 'Latest',
    less: 'Show less',
    all: 'Show all',
    queued: 'Queued',
    paused: 'Paused.',
    waiting: (n: number) => n === 1 ? 'One message is waiting.' : `${n} messages are waiting.`,
    resume: 'Resume',
    resumeSession: 'Resume the session',
    pauseSession: 'Pause the session',
    pauseHint: 'Pause: finish this step, start no other',
    stopped: 'Stopped',
    failed: 'The answer failed.',
    summary: 'Summary',
    thinking: 'Thinking…',
    thought: 'Thought about it',
    interrupted: 'Interrupted. The agent tries again in a moment.',
    lengthLimit: 'The answer reached its length limit.',
    toolRuns: 'A tool is running',
    waitingForAgent: 'Waiting for the agent',
  },

  turn: {
    edit: 'Edit',
    editHint: 'Edit and ask again, in a new chat',
    editLabel: 'Edit the message',
    editNote: 'Goes on in a new chat; this one stays as it is.',
    sendFork: 'Ask in a new chat',
    more: 'More actions',
    fork: 'Fork from here',
    retryFork: 'Retry in a new chat',
    events: 'Raw events',
    aloud: 'Read aloud',
    quiet: 'Stop reading',
  },

  feedback: {
    helpful: 'Helpful',
    not_helpful: 'Not helpful',
    more: 'Say more',
    thanks: 'Noted. What was it?',
    tags: {
      correct: 'Correct', clear: 'Clear', complete: 'Complete', creative: 'Creative',
      wrong: 'Wrong', incomplete: 'Incomplete', unclear: 'Unclear', too_long: 'Too long',
      off_topic: 'Not what I asked', tools: 'Used tools badly',
    } as Readonly<Record<string, string>>,
    comment: 'Anything else? (optional)',
    kept: 'Thank you. It is kept with the chat.',
  },

  outgoing: {
    notSent: 'Not sent.',
    waiting: 'Waiting for the connection…',
    sending: 'Sending…',
    sent: 'Sent',
  },

  composer: {
    message: 'Message',
    writeHere: 'Message the agent…',
    queueHere: 'Queue a message…',
    queue: 'Queue',
    queueIt: 'Queue the message',
    keys: 'Enter sends, Shift + Enter starts a new line, / shows the commands.',
    tooLong: (over: number) =>
      `This message is ${count(over, 'character', 'characters')} too long. Shorten it, or send it in parts.`,
  },

  dictation: {
    start: 'Dictate',
    stop: 'Stop dictating',
    listening: 'Listening… Escape stops.',
    failed: 'Dictation ended: the browser does not say why.',
    noLanguage: (tag: string) => `This browser does not understand the language ${tag}.`,
    trouble: {
      'no-speech': 'Nothing was heard.',
      'audio-capture': 'No microphone was found.',
      'not-allowed': 'The browser does not let this page use the microphone.',
      'service-not-allowed': 'The browser does not offer dictation here.',
      network: 'The browser’s dictation cannot be reached.',
    } as Readonly<Record<string, string>>,
  },

  commands: {
    title: 'Commands',
    export: 'Download this chat',
    model: 'Set up a model',
    modelNotYours: 'Models are set up by an administrator.',
    tool: 'Run a tool',
    rename: 'Give this chat another name',
    history: 'The conversation as text',
    context: 'What the model would be sent',
    travel: 'Go back in time',
    new: 'Begin a new chat',
    settings: 'Open the settings',
  },

  code: {
    plain: 'text',
    wrap: 'Wrap',
    wrapHint: 'Go on in the next line where a line is too long',
    label: (language: string) => language === '' ? 'Code' : `Code in ${language}`,
  },

  tool: {
    status: {
      running: 'running',
      success: 'done',
      error: 'failed',
      denied: 'not allowed',
      timeout: 'took too long',
      cancelled: 'stopped',
      interrupted: 'interrupted',
    },
    stop: 'Stop this call',
    denied: 'Denied',
    rule: 'The rule is',
    inputs: 'Asked with',
    progress: 'Output so far',
    error: 'Error',
    output: 'Result',
    files: 'Files',
    file: (id: string) => `File ${id}`,
    ms: (ms: number) => `${ms} ms`,
    seconds: (seconds: string) => `${seconds} s`,
  },

  menu: {
    chat: 'More about this chat',
    history: 'History',
    context: 'Context window',
    travel: 'Go back in time',
    move: 'Import and export',
    tool: 'Run a tool',
    files: 'Files',
    nudge: 'Nudge',
    nudgeHint: 'Ask the agent to go on',
    summarize: 'Summarize',
    restart: 'Restart',
    restartHint: 'End what runs and read the chat anew from its log',
    reset: 'Reset',
  },

  did: {
    nudge: 'The agent was asked to go on.',
    pause: 'Paused. What runs is finished; nothing new begins.',
    resume: 'The agent goes on.',
    restart: 'Restarted: what ran was ended, and the chat was read anew from its log.',
    reset: 'The chat is empty now.',
    summarize: 'The agent was asked for a summary.',
    stop: 'Stopped.',
    retry: 'Asked again.',
    forked: 'This is a new chat with the same past.',
  } satisfies Record<SessionAction | 'reset' | 'forked', string>,

  reset: {
    question: 'Empty this chat?',
    text: 'All that was said in it will be gone for good. The chat itself stays.',
    yes: 'Empty it',
    no: 'Keep it',
  },

  history: {
    about: (tokens: number) => `About ${count(tokens, 'token', 'tokens')}.`,
    empty: 'Nothing was said yet.',
  },

  context: {
    about: (tokens: number, room: number) => room === 0
      ? `The model would be sent about ${count(tokens, 'token', 'tokens')} now.`
      : `The model would be sent about ${count(tokens, 'token', 'tokens')} now: ` +
        `${Math.round((100 * tokens) / room)} % of its ${room.toLocaleString('en')}.`,
    full: 'How full the context window is',
    tokens: (n: number) => count(n, 'token', 'tokens'),
    role: { system: 'System', user: 'You', assistant: 'The agent', tool: 'Tools' },
  },

  events: {
    count: (n: number) => `${count(n, 'event', 'events')}, as the log has them.`,
  },

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

  travel: {
    got: (n: number) => `Read ${count(n, 'event', 'events')}…`,
    slider: 'Event',
    back: 'One event back',
    forth: 'One event on',
    fork: 'Fork here',
    nothing: 'There are no events.',
    empty: 'Nothing was said yet at this point.',
    at: (n: number, all: number, type: string, time: string) =>
      `Event ${n} of ${all}: ${type}${time && `, ${time}`}`,
  },

  files: {
    attach: 'Attach files',
    choose: 'Choose files',
    drop: 'Drop files here to attach them',
    attached: 'Attached files',
    toSend: 'Files to send',
    aFile: 'A file',
    pasted: 'Pasted file',
    nothingKept: 'The server kept nothing of this file.',
    quarantined: 'The scanner holds this file for harmful.',
    tooMany: (most: number) => `A message takes at most ${count(most, 'file', 'files')}.`,
    progress: (name: string) => `${name}: sent so far`,
    cancel: (name: string) => `Cancel “${name}”`,
    remove: (name: string) => `Remove “${name}”`,
    retry: (name: string) => `Send “${name}” again`,
  },

  work: {
    whose: 'Whose files',
    own: 'This chat',
    shared: 'All chats',
    where: 'Folder',
    top: 'Files',
    upload: 'Upload',
    uploading: 'Uploading',
    newFile: 'New file',
    newFolder: 'New folder',
    name: 'Name',
    moveTo: 'New path',
    empty: 'Nothing is here yet.',
    notAll: 'There is more than can be listed.',
    used: (used: string, most: string) => `${used} of ${most} used.`,
    download: (name: string) => `Download “${name}”`,
    move: (name: string) => `Move or rename “${name}”`,
    removeQuestion: 'Delete this?',
    removeText: (path: string) => `“${path}” will be gone for good.`,
    back: 'Back to the folder',
    saved: 'Saved.',
    onlyBeginning: 'This file is long: only its beginning is shown, and it cannot be changed here.',
    noText: 'This file is no text, and cannot be changed here.',
  },

  tools: {
    title: 'Tools',
    hint: 'What agents may do here. A change counts for calls that begin after it.',
    none: 'This server has no tools.',
    which: 'Which tool',
    noInputs: 'It asks for nothing.',
    run: 'Run',
    asking: 'Asking…',
    notGiven: 'Not given',
    choose: 'Choose',
    enabled: 'Enabled',
    limits: 'Limits and network',
    egress: 'Hosts it may reach, one a line; none: no network',
    unavailable: (why: string) => `It cannot run here: ${why}`,
    executor: { builtin: 'built in', sandbox: 'sandbox', mcp: 'MCP' },
    limit: {
      timeout_ms: 'Time, ms',
      cpu_s: 'Processor, s',
      memory_bytes: 'Memory, bytes',
      output_bytes: 'Output for the model, bytes',
      concurrency: 'Calls at once',
    },
    wrong: {
      choice: 'Choose one.', switch: '', number: 'This is to be a number.', line: '', text: '',
      json: 'This is to be JSON.',
    },
  },

  /** Why a turn failed, by its code; the server's detail follows. */
  failures: {
    'llm.unreachable': 'The model’s provider cannot be reached.',
    'llm.timeout_first_token': 'The model did not begin to answer in time.',
    'llm.timeout_idle': 'The model stopped in the middle of its answer.',
    'llm.auth': 'The model’s provider refused the key it was given.',
    'llm.rate_limited': 'The model’s provider is asking for a break.',
    'llm.context_exceeded': 'The conversation is too long for this model.',
    'llm.interrupted': 'The answer was interrupted too many times.',
    'llm.not_configured': 'No model is set up on this server yet.',
    'llm.bad_stream': 'The model’s provider sent something that is not an answer.',
    'llm.bad_request': 'The model’s provider did not accept the request.',
    'llm.provider_error': 'The model’s provider failed.',
    'turn.timeout': 'This took longer than a turn may take.',
    'turn.limit': 'The agent took more steps than a turn may have.',
    'session.quarantined': 'This session failed several times and was set aside.',
    'policy.denied': 'The server’s policy does not allow this.',
  } as Readonly<Record<string, string>>,

  /** By the code of a refusal; what is not here is told in the server's words. */
  problems: {
    'request.invalid': 'The server did not accept what was entered.',
    'request.too_large': 'This is more than the server takes at once.',
    'event.too_large': 'This is longer than a chat can keep in one piece.',
    'auth.forbidden': 'This is for administrators.',
    'policy.denied': 'The server’s policy does not allow this.',
    'message.not_found': 'This answer is not in the chat any more.',
    'session.busy': 'The agent is at work: wait for it, or stop it first.',
    'session.paused': 'The chat is paused: resume it first.',
    'session.queue_full': 'Too many messages are waiting in this chat already.',
    'session.nothing_to_retry': 'There is nothing to ask again.',
    'session.nothing_to_do': 'There is nothing to go on with.',
    'session.quarantined': 'This chat failed several times and was set aside. Restart it to go on.',
    'quota.exceeded': 'This is more than you may ask for at the moment.',
    'storage.full': 'The server’s disk is full: nothing was kept.',
    'server.busy': 'The server has too much to do at the moment.',
    'import.invalid': 'This is no chat that was exported whole.',
  } as Readonly<Record<string, string>>,
  nothingBefore: 'There is nothing before this message.',
  unreachable: 'The server cannot be reached.',
  somethingWrong: 'Something went wrong.',

  toasts: {
    region: 'Messages of the page',
    dismiss: 'Dismiss',
    times: (n: number) => ` (${n} times)`,
  },

  settings: {
    title: 'Settings',
    close: 'Close the settings',
    tabs: { models: 'Models', tools: 'Tools', keys: 'Keys', appearance: 'Appearance', speech: 'Speech', about: 'About' },
  },

  appearance: {
    theme: 'Colours',
    themes: { system: 'As the system', light: 'Light', dark: 'Dark' },
    size: 'Size of text',
    width: 'Width of a chat',
    widths: { narrow: 'Easy to read', wide: 'Wide' },
    thinking: 'What a model thinks',
    thinkings: { folded: 'Folded', open: 'Open' },
    hint: 'Kept in this browser.',
  },

  speech: {
    out: 'Reading aloud',
    noOut: 'This browser does not read aloud.',
    voice: 'Voice',
    ownVoice: (name: string) => name === '' ? 'The browser’s own' : `The browser’s own (${name})`,
    voiceOf: (name: string, language: string, local: boolean) =>
      `${name} · ${language}${local ? '' : ' · over the network'}`,
    voiceHint: 'A voice over the network sends what it reads to the browser’s maker.',
    tryIt: 'Try',
    sample: 'This is how answers sound.',
    rate: 'Speed',
    rates: (rate: number) => rate === 1 ? 'Normal' : `${rate} ×`,
    aloud: 'When',
    alouds: { asked: 'When asked', always: 'Every answer, as it comes' },
    in: 'Dictation',
    inHint: 'The button with the microphone writes what you say into the message. Where this device can ' +
      'do that alone, it does.',
    remote: 'Let the browser’s maker listen where the device cannot do it alone',
    remoteHint: 'What you say is then heard by the company that makes your browser; this page cannot ' +
      'see what it does with it.',
    noIn: 'This browser has no dictation.',
    language: 'Language you speak',
    ownLanguage: (name: string) => `The browser’s (${name})`,
  },

  keys: {
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
  },

  about: {
    what: 'Sessions with language-model agents, each an append-only log of events.',
    server: 'Server',
    page: 'Page',
    up: 'Up for',
    status: 'Status',
    profiles: 'Model profiles',
    components: 'Components',
    states: { ok: 'up', degraded: 'degraded', down: 'down' },
    uptime: (seconds: number) => {
      const days = Math.floor(seconds / 86_400);
      const hours = Math.floor((seconds % 86_400) / 3_600);
      const minutes = Math.floor((seconds % 3_600) / 60);
      return [
        days > 0 ? count(days, 'day', 'days') : '',
        hours > 0 ? count(hours, 'hour', 'hours') : '',
        count(minutes, 'minute', 'minutes'),
      ].filter(Boolean).join(', ');
    },
  },
};
