import { speechSettings } from './speech_settings';

/** The part of the Web Speech API that is used; TypeScript does not know it. */
export interface Recognizer {
  lang: string;
  continuous: boolean;
  interimResults: boolean;
  processLocally?: boolean;
  onresult: ((event: { results: ArrayLike<HeardResult> }) => void) | null;
  onerror: ((event: { error: string }) => void) | null;
  onend: (() => void) | null;
  start(): void;
  stop(): void;
  abort(): void;
}

export interface HeardResult extends ArrayLike<{ readonly transcript: string }> {
  readonly isFinal: boolean;
}

interface RecognizerClass {
  new (): Recognizer;
  prototype: object;
  available?(what: { langs: string[]; processLocally: boolean }): Promise<string>;
}

export function recognizerClass(): RecognizerClass | null {
  const all = globalThis as { SpeechRecognition?: RecognizerClass; webkitSpeechRecognition?: RecognizerClass };
  return all.SpeechRecognition ?? all.webkitSpeechRecognition ?? null;
}

export function dictationLanguage(): string {
  return speechSettings.value.language || navigator.language || 'en-US';
}

/**
 * A recognizer that may be used: one that keeps what it hears on the device where there is one, else
 * the browser's maker's, if the reader has allowed that. Null where neither may be.
 */
export async function recognizer(): Promise<Recognizer | null> {
  const Kind = recognizerClass();
  if (!Kind) return null;
  const local = await isLocal(Kind);
  if (!local && !speechSettings.peek().remote) return null;
  const one = new Kind();
  one.lang = dictationLanguage();
  one.continuous = true;
  one.interimResults = true;
  if (local) one.processLocally = true;
  return one;
}

async function isLocal(Kind: RecognizerClass): Promise<boolean> {
  if (!('processLocally' in Kind.prototype) || !Kind.available) return false;
  try {
    return (await Kind.available({ langs: [dictationLanguage()], processLocally: true })) === 'available';
  } catch {
    return false;
  }
}

/** The text around what is being said. */
export interface Place {
  readonly before: string;
  readonly after: string;
}

/** What was said, put between: words do not run together. */
export function placed({ before, after }: Place, said: string): { text: string; caret: number } {
  const words = said.trim();
  if (words === '') return { text: before + after, caret: before.length };
  const left = before === '' || /\s$/.test(before) ? '' : ' ';
  const right = after === '' || /^[\s.,;:!?)]/.test(after) ? '' : ' ';
  const head = before + left + words;
  return { text: head + right + after, caret: head.length };
}

/**
 * One time of dictating, from start to end. `onText` gets the whole text with what was heard so far
 * in its place; `onEnd` comes once, with the error that the browser named, '' when there was none.
 */
export class Dictation {
  private skipped = 0;
  private heard = 0;
  private error = '';

  constructor(
    private readonly by: Recognizer,
    private place: Place,
    private readonly onText: (text: string, caret: number) => void,
    onEnd: (error: string) => void,
  ) {
    by.onresult = ({ results }) => this.take(results);
    by.onerror = ({ error }) => (this.error = error);
    by.onend = () => {
      by.onresult = by.onerror = by.onend = null;
      onEnd(this.error === 'aborted' ? '' : this.error);
    };
    by.start();
  }

  /** The reader typed meanwhile: what was heard stays as it stands, and more goes in at the caret. */
  moveTo(place: Place): void {
    this.place = place;
    this.skipped = this.heard;
  }

  /** What was said last may still come. */
  stop(): void {
    this.by.stop();
  }

  /** Nothing more comes. */
  abort(): void {
    this.by.onresult = null;
    this.by.abort();
  }

  private take(results: ArrayLike<HeardResult>): void {
    this.heard = results.length;
    const said = Array.from(results).slice(this.skipped).map((result) => result[0]?.transcript.trim() ?? '');
    const { text, caret } = placed(this.place, said.filter((words) => words !== '').join(' '));
    this.onText(text, caret);
  }
}
