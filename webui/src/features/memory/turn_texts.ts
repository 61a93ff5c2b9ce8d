import { count, words } from '../../kernel/texts/language';

/** Of what a turn was told from memory, and of forgetting, which a chat and the Memory view have in common. */
export const texts = words({
  remembered: (n: number) => `Remembered ${count(n, 'thing', 'things')}`,
  notAll: 'perhaps not all',
  nothingLookedThrough: 'What is remembered could not be looked through.',
  degraded: 'Not all that is remembered was looked through.',

  you: 'You said',
  agent: 'The agent said',
  other: (who: string) => `${who} said`,
  kinds: {
    message: 'Said', note: 'Note', knowledge: 'Knowledge', summary: 'Summary',
  } as Readonly<Record<string, string>>,
  page: (page: string) => `page ${page}`,

  source: (chat: string) => (chat === '' ? 'In the chat it is from' : `In “${chat}”`),
  sourceHint: 'Open the chat at this message',
  chatHint: 'Open the chat',
  document: 'The document it is from',
  documentHint: 'Download the document',

  forget: 'Forget',
  forgetThe: (gist: string) => `Forget “${gist}”`,
  forgotten: (gist: string) => `“${gist}” is forgotten.`,
  isForgotten: 'Forgotten',
  forgottenSince: 'Forgotten since. What this chat was told of it stays in its log.',
  all: 'Show all',
  less: 'Show less',
});
