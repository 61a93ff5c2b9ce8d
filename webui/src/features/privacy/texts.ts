import { words } from '../../kernel/texts/language';

/** Of personal data that leaves. */
export const texts = words({
  title: 'Personal data that leaves',
  hint: 'Mail addresses, telephone numbers, numbers of cards, IBANs and national numbers, in what goes to models, to ' +
    'tools that reach out, and to SomaBrain. For everybody here, from the next call on.',
  legend: 'What becomes of them',
  modes: {
    off: 'Let it go',
    report: 'Let it go, and count it',
    redact: 'Put placeholders in its place',
    deny: 'Hold it back',
  },
  means: {
    off: 'Nothing is looked through.',
    report: 'It goes as it is. How much of which kind went where stands in the audit and the metrics, never the words. ' +
      'Policy is asked, and may refuse.',
    redact: 'A model reads [[mail-1]] where an address stood, and the words come back into what it answers. ' +
      'Policy is asked, and may refuse.',
    deny: 'A message with some in it gets no answer, a tool that would be sent some is not run; the chat says so.',
  },
  asServer: 'As this server is set up',
  asServerNow: (mode: string) => `As this server is set up: ${mode}`,
  asServerMeans: 'Whoever runs the server says so in its configuration (egress.pii).',
  limits: 'What is found is known by its pattern, and numbers by their check digits. Names, addresses of homes, pictures and ' +
    'files are not looked into. What was sent before is gone.',
  saved: 'Saved. It counts from now on.',
});
