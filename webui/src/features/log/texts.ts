import { count, language, words } from '../../kernel/texts/language';

/** Of what the log holds. */
export const texts = words({
  history: {
    about: (tokens: number) => `About ${count(tokens, 'token', 'tokens')}.`,
    empty: 'Nothing was said yet.',
  },

  context: {
    about: (tokens: number, room: number) => room === 0
      ? `The model would be sent about ${count(tokens, 'token', 'tokens')} now.`
      : `The model would be sent about ${count(tokens, 'token', 'tokens')} now: ` +
        `${Math.round((100 * tokens) / room)} % of its ${room.toLocaleString(language)}.`,
    full: 'How full the context window is',
    tokens: (n: number) => count(n, 'token', 'tokens'),
    memory: 'Remembered',
    role: { system: 'System', user: 'You', assistant: 'The agent', tool: 'Tools' },
  },

  events: {
    count: (n: number) => `${count(n, 'event', 'events')}, as the log has them.`,
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
});
