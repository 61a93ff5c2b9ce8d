import { words } from '../../kernel/texts/language';

/** Of the settings of speech. */
export const tabTexts = words({
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
});
