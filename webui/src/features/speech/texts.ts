import { words } from '../../kernel/texts/language';

/** Of dictation. */
export const texts = words({
  title: 'Speech',

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
});
