import { signal } from '@preact/signals';
import { keep, kept } from '../../kernel/kept';

/** How the page speaks and listens; kept in this browser. */
export interface SpeechSettings {
  /** The name of a voice; '' leaves it to the page. */
  readonly voice: string;
  /** 1 is the voice's own speed. */
  readonly rate: number;
  /** Whether answers are read aloud as they come. */
  readonly aloud: 'asked' | 'always';
  /** Whether the browser's maker may hear what is dictated, where the device cannot do it alone. */
  readonly remote: boolean;
  /** Spoken when dictating, a BCP 47 tag; '' is the browser's own. */
  readonly language: string;
}

const stored = 'soma.speech';
const usual: SpeechSettings = { voice: '', rate: 1, aloud: 'asked', remote: false, language: '' };

export const speechSettings = signal<SpeechSettings>(read());

export function setSpeech(change: Partial<SpeechSettings>): void {
  speechSettings.value = { ...speechSettings.peek(), ...change };
  keep(stored, JSON.stringify(speechSettings.peek()));
}

export function startSpeechSettings(): void {
  window.addEventListener('storage', (event) => {
    if (event.key === stored || event.key === null) speechSettings.value = read();
  });
}

function read(): SpeechSettings {
  try {
    return { ...usual, ...(JSON.parse(kept(stored) ?? '{}') as Partial<SpeechSettings>) };
  } catch {
    return usual;
  }
}
