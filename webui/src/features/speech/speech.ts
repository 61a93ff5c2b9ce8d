import { signal } from '@preact/signals';
import { speechSettings } from './speech_settings';

/** Which answer is being read aloud: the id of its turn. */
export const speaking = signal<string | null>(null);

export const canSpeak = typeof speechSynthesis !== 'undefined' && typeof SpeechSynthesisUtterance !== 'undefined';

/** How much of the text was handed to the browser. */
let spoken = 0;
let pending = 0;
let ended = false;

export function startSpeaking(turnId: string): void {
  stopSpeaking();
  speaking.value = turnId;
  spoken = 0;
  ended = false;
}

export function stopSpeaking(): void {
  if (!canSpeak) return;
  speaking.value = null;
  pending = 0;
  speechSynthesis.cancel();
}

/** Goes on with a text that may still grow: whole sentences only, until `isOver`. */
export function speak(turnId: string, text: string, isOver: boolean): void {
  if (speaking.peek() !== turnId) return;
  ended = isOver;
  const rest = text.slice(spoken);
  const upTo = isOver ? rest.length : endOfSentences(rest);
  if (upTo > 0) {
    spoken += upTo;
    say(turnId, asSpoken(rest.slice(0, upTo)));
  }
  finishIfDone(turnId);
}

function say(turnId: string, words: string): void {
  if (words === '') return;
  const utterance = new SpeechSynthesisUtterance(words);
  const { voice, rate } = speechSettings.peek();
  utterance.rate = rate;
  const own = voiceFor(speechSynthesis.getVoices?.() ?? [], voice);
  if (own) utterance.voice = own;
  pending++;
  utterance.onend = utterance.onerror = () => {
    if (speaking.peek() !== turnId) return;
    pending--;
    finishIfDone(turnId);
  };
  speechSynthesis.speak(utterance);
}

function finishIfDone(turnId: string): void {
  if (ended && pending === 0 && speaking.peek() === turnId) speaking.value = null;
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
