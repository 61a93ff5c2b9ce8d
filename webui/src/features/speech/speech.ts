import { signal } from '@preact/signals';
import { speechSettings } from './speech_settings';

export const canSpeak = typeof speechSynthesis !== 'undefined' && typeof SpeechSynthesisUtterance !== 'undefined';

/** Reads answers aloud, one at a time. */
export class Speech {
  /** Which answer is being read: the id of its turn. */
  readonly speaking = signal<string | null>(null);
  /** How much of the text was handed to the browser. */
  private spoken = 0;
  private pending = 0;
  private ended = false;

  dispose(): void {
    if (this.speaking.peek() !== null) this.stop();
  }

  start(turnId: string): void {
    this.stop();
    this.speaking.value = turnId;
    this.spoken = 0;
    this.ended = false;
  }

  stop(): void {
    if (!canSpeak) return;
    this.speaking.value = null;
    this.pending = 0;
    speechSynthesis.cancel();
  }

  /** Goes on with a text that may still grow: whole sentences only, until `isOver`. */
  speak(turnId: string, text: string, isOver: boolean): void {
    if (this.speaking.peek() !== turnId) return;
    this.ended = isOver;
    const rest = text.slice(this.spoken);
    const upTo = isOver ? rest.length : endOfSentences(rest);
    if (upTo > 0) {
      this.spoken += upTo;
      this.say(turnId, asSpoken(rest.slice(0, upTo)));
    }
    this.finishIfDone(turnId);
  }

  private say(turnId: string, words: string): void {
    if (words === '') return;
    const utterance = new SpeechSynthesisUtterance(words);
    const { voice, rate } = speechSettings.peek();
    utterance.rate = rate;
    const own = voiceFor(speechSynthesis.getVoices?.() ?? [], voice);
    if (own) utterance.voice = own;
    this.pending++;
    utterance.onend = utterance.onerror = () => {
      if (this.speaking.peek() !== turnId) return;
      this.pending--;
      this.finishIfDone(turnId);
    };
    speechSynthesis.speak(utterance);
  }

  private finishIfDone(turnId: string): void {
    if (this.ended && this.pending === 0 && this.speaking.peek() === turnId) this.speaking.value = null;
  }
}

/**
 * The voice of that name; else the browser's own, or one of its language that needs no network,
 * so that nothing is sent anywhere unless someone chose so.
 */
export function voiceFor<Voice extends Pick<SpeechSynthesisVoice, 'name' | 'lang' | 'default' | 'localService'>>(
  voices: readonly Voice[], name: string,
): Voice | undefined {
  const named = name === '' ? undefined : voices.find((voice) => voice.name === name);
  const own = voices.find((voice) => voice.default);
  if (named || own?.localService) return named ?? own;
  const language = (own?.lang ?? '').slice(0, 2);
  const local = voices.filter((voice) => voice.localService);
  return local.find(({ lang }) => language !== '' && lang.startsWith(language)) ?? local[0];
}

export function endOfSentences(text: string): number {
  let end = 0;
  for (const match of text.matchAll(/[.!?…。！？](?=\s)|\n\n/g)) end = match.index + match[0].length;
  return end;
}

/** Markdown as it is said: no code, no marks. */
export function asSpoken(text: string): string {
  return text
    .replace(/```[\s\S]*?(?:```|$)/g, ' ')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^[ \t]*(?:[-*+>]|#{1,6}|\d+\.)[ \t]+/gm, '')
    .replace(/[*_`~|#]+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
