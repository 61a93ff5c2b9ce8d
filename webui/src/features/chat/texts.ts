import { count, words } from '../../kernel/texts/language';

/** Of a chat. */
export const texts = words({
  nothingBefore: 'There is nothing before this message.',

  commandsTitle: 'Commands',

  menu: {
    chat: 'More about this chat',
    nudge: 'Nudge',
    nudgeHint: 'Ask the agent to go on',
    summarize: 'Summarize',
    restart: 'Restart',
    restartHint: 'End what runs and read the chat anew from its log',
    reset: 'Reset',

  },

  banner: {
    rehearsal: 'Rehearsal server, not a model.',
    scripted: 'Answers are scripted.',
    notUp: 'Not everything is up:',
    setUp: 'Set up a model',
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
    later: 'Show later messages',
    latest: 'Latest',
    notThere: 'That message is not in this chat any more.',
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
    readingThoughts: 'Reading it from the log…',
    thoughtUntold: 'The provider did not tell what was thought.',
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
    unkept: 'Waiting for the connection… This browser has no room to keep it: leave the page open.',
  },

  composer: {
    message: 'Message',
    writeHere: 'Message the agent…',
    queueHere: 'Queue a message…',
    queue: 'Queue',
    queueIt: 'Queue the message',
    keys: 'Enter sends, Shift + Enter starts a new line, / shows the commands.',
    unkept: 'This browser has no room to keep this text: it lasts as long as the page is open.',
    tooLong: (over: number) =>
      `This message is ${count(over, 'character', 'characters')} too long. Shorten it, or send it in parts.`,
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
    exit: (code: number) => `exit ${code}`,
    ended: (code: number) => `The program ended with exit code ${code}.`,
    program: 'Program',
    stdin: 'Standard input',
    terminal: 'Output',
    silent: 'It said nothing.',
    cut: 'There was more than is kept here.',
    raw: 'JSON',
    rawHint: 'What was asked and what came of it, as the log has it',
    inputs: 'Asked with',
    progress: 'Output so far',
    error: 'Error',
    output: 'Result',
    files: 'Files',
    ms: (ms: number) => `${ms} ms`,
    seconds: (seconds: string) => `${seconds} s`,
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
  },

  reset: {
    question: 'Empty this chat?',
    text: 'All that was said in it will be gone for good. The chat itself stays.',
    yes: 'Empty it',
    no: 'Keep it',
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

  /** What a rule that the server itself has means, in place of the code's. */
  rules: {
    'egress.pii': 'Held back: there is personal data in it.',
  } as Readonly<Record<string, string>>,
});
