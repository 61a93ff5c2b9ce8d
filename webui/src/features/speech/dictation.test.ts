import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { fakePage } from '../../testing/fake_page';

let dictation: typeof import('./dictation');
let settings: typeof import('./speech_settings');

class Fake {
  static last: Fake;
  lang = '';
  continuous = false;
  interimResults = false;
  onresult: ((event: unknown) => void) | null = null;
  onerror: ((event: { error: string }) => void) | null = null;
  onend: (() => void) | null = null;
  did: string[] = [];
  constructor() { Fake.last = this; }
  start() { this.did.push('start'); }
  stop() { this.did.push('stop'); }
  abort() { this.did.push('abort'); }
  /** Words that are settled, and those that are not yet. */
  hear(...words: string[]) {
    this.onresult?.({ results: words.map((transcript) => ({ isFinal: false, length: 1, 0: { transcript } })) });
  }
}

class Local extends Fake {
  static available = vi.fn(async (_: unknown) => 'available');
}
Object.defineProperty(Local.prototype, 'processLocally', { value: false, writable: true });

beforeAll(async () => {
  fakePage();
  dictation = await import('./dictation');
  settings = await import('./speech_settings');
});

beforeEach(() => settings.setSpeech({ remote: false, language: 'de-DE' }));

describe('who may listen', () => {
  test('without the API nobody', async () => {
    expect(dictation.recognizerClass()).toBeNull();
    expect(await dictation.recognizer()).toBeNull();
  });

  test('the browser’s maker only where that was allowed', async () => {
    vi.stubGlobal('webkitSpeechRecognition', Fake);
    expect(await dictation.recognizer()).toBeNull();
    settings.setSpeech({ remote: true });
    expect(await dictation.recognizer()).toMatchObject({ lang: 'de-DE', continuous: true, interimResults: true });
    vi.stubGlobal('webkitSpeechRecognition', undefined);
  });

  test('the device alone without a question, and then nobody else', async () => {
    vi.stubGlobal('SpeechRecognition', Local);
    expect(await dictation.recognizer()).toMatchObject({ lang: 'de-DE', processLocally: true });
    expect(Local.available).toHaveBeenCalledWith({ langs: ['de-DE'], processLocally: true });
    for (const said of ['downloadable', 'downloading', 'unavailable']) {
      Local.available.mockResolvedValueOnce(said);
      expect(await dictation.recognizer()).toBeNull();
    }
    Local.available.mockRejectedValueOnce(new Error('no'));
    expect(await dictation.recognizer()).toBeNull();
    settings.setSpeech({ remote: true });
    Local.available.mockResolvedValueOnce('unavailable');
    expect((await dictation.recognizer())?.processLocally).toBe(false);
    vi.stubGlobal('SpeechRecognition', undefined);
  });
});

describe('what was said', () => {
  test('goes between what stands there, with room around it', () => {
    const { placed } = dictation;
    expect(placed({ before: '', after: '' }, ' hello ')).toEqual({ text: 'hello', caret: 5 });
    expect(placed({ before: 'Say', after: 'now' }, 'hello')).toEqual({ text: 'Say hello now', caret: 9 });
    expect(placed({ before: 'Say\n', after: ', now' }, 'hello').text).toBe('Say\nhello, now');
    expect(placed({ before: 'Say ', after: '' }, '  ')).toEqual({ text: 'Say ', caret: 4 });
  });

  const begin = (before: string, after: string) => {
    const texts: string[] = [];
    const ends: string[] = [];
    const one = new dictation.Dictation(
      new Fake() as never, { before, after }, (text) => texts.push(text), (error) => ends.push(error));
    return { one, fake: Fake.last, texts, ends };
  };

  test('replaces itself while it is not settled, and is kept', () => {
    const { fake, texts, ends } = begin('a', 'z');
    expect(fake.did).toEqual(['start']);
    fake.hear('ha');
    fake.hear('hello');
    fake.hear('hello', ' wor');
    fake.hear('hello', ' world');
    expect(texts).toEqual(['a ha z', 'a hello z', 'a hello wor z', 'a hello world z']);
    fake.onend?.();
    expect(ends).toEqual(['']);
    expect(fake.onresult).toBeNull();
  });

  test('leaves what the reader typed meanwhile alone', () => {
    const { one, fake, texts } = begin('', '');
    fake.hear('one');
    one.moveTo({ before: 'one, typed ', after: '' });
    fake.hear('one of', 'two');
    expect(texts.at(-1)).toBe('one, typed two');
  });

  test('ends with the browser’s reason, and with none when it was stopped', () => {
    const refused = begin('', '');
    refused.fake.onerror?.({ error: 'not-allowed' });
    refused.fake.onend?.();
    expect(refused.ends).toEqual(['not-allowed']);
    const stopped = begin('', '');
    stopped.one.stop();
    stopped.fake.hear('last words');
    expect(stopped.texts).toEqual(['last words']);
    const aborted = begin('', '');
    aborted.one.abort();
    aborted.fake.hear('too late');
    aborted.fake.onerror?.({ error: 'aborted' });
    aborted.fake.onend?.();
    expect([aborted.texts, aborted.ends, aborted.fake.did]).toEqual([[], [''], ['start', 'abort']]);
  });
});
