import { useEffect, useState } from 'preact/hooks';
import { recognizerClass } from './dictation';
import { canSpeak, Speech, voiceFor } from './speech';
import { setSpeech, speechSettings } from './speech_settings';
import { usePart } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { Choice } from '../../ui/choice';
import { texts as appearanceTexts } from '../appearance/texts';
import { language } from '../../kernel/texts/language';
import { tabTexts } from './tab_texts';
import './speech.css';

const louds = ['asked', 'always'] as const;
const rates = [0.8, 1, 1.25, 1.5];
/** What browsers mostly understand; any other tag can be written. */
const languages = [
  'ar', 'cs-CZ', 'da-DK', 'de-DE', 'en-GB', 'en-US', 'es-ES', 'fi-FI', 'fr-FR', 'hi-IN', 'it-IT',
  'ja-JP', 'ko-KR', 'nl-NL', 'pl-PL', 'pt-BR', 'ru-RU', 'sv-SE', 'tr-TR', 'uk-UA', 'zh-CN',
];

/** Reading aloud and dictation, as this browser can do them. */
export function SpeechTab() {
  const { rate, aloud, remote, language } = speechSettings.value;
  const words = tabTexts;
  return (
    <div class="speech">
      <h3>{words.out}</h3>
      {canSpeak ? (
        <>
          <VoiceField />
          <Choice name={words.rate} values={rates} chosen={rate} label={words.rates}
            onChoose={(v) => setSpeech({ rate: v })} />
          <Choice name={words.aloud} values={louds} chosen={aloud} label={(v) => words.alouds[v]}
            onChoose={(v) => setSpeech({ aloud: v })} />
        </>
      ) : <p class="settings-hint">{words.noOut}</p>}
      <h3>{words.in}</h3>
      {recognizerClass() ? (
        <>
          <p class="settings-hint">{words.inHint}</p>
          <label class="check">
            <input type="checkbox" checked={remote}
              onChange={(event) => setSpeech({ remote: event.currentTarget.checked })} />
            <span>{words.remote}</span>
          </label>
          <p class="settings-hint">{words.remoteHint}</p>
          <div class="field">
            <label for="dictation-language">{words.language}</label>
            <select id="dictation-language" value={language}
              onChange={(event) => setSpeech({ language: event.currentTarget.value })}>
              <option value="">{words.ownLanguage(nameOf(navigator.language))}</option>
              {languages.map((tag) => <option key={tag} value={tag}>{nameOf(tag)}</option>)}
            </select>
          </div>
        </>
      ) : <p class="settings-hint">{words.noIn}</p>}
      <p class="settings-hint">{appearanceTexts.hint}</p>
    </div>
  );
}

function VoiceField() {
  const speech = usePart(Speech);
  const [voices, setVoices] = useState(() => speechSynthesis.getVoices?.() ?? []);
  useEffect(() => {
    const read = () => setVoices(speechSynthesis.getVoices());
    speechSynthesis.addEventListener?.('voiceschanged', read);
    return () => speechSynthesis.removeEventListener?.('voiceschanged', read);
  }, []);
  const { voice } = speechSettings.value;
  const words = tabTexts;
  const own = voiceFor(voices, '');
  return (
    <div class="field">
      <label for="speech-voice">{words.voice}</label>
      <div class="with-button">
        <select id="speech-voice" value={voice}
          onChange={(event) => setSpeech({ voice: event.currentTarget.value })}>
          <option value="">{words.ownVoice(own?.name ?? '')}</option>
          {voices.map(({ name, lang, localService }) => (
            <option key={name} value={name}>{words.voiceOf(name, lang, localService)}</option>
          ))}
        </select>
        <button type="button" onClick={() => {
          speech.start('sample');
          speech.speak('sample', words.sample, true);
        }}>
          <Icon name="speaker" /><span>{words.tryIt}</span>
        </button>
      </div>
      {voices.some(({ localService }) => !localService) && <p class="field-hint">{words.voiceHint}</p>}
    </div>
  );
}

function nameOf(tag: string): string {
  try {
    return new Intl.DisplayNames(language, { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}
