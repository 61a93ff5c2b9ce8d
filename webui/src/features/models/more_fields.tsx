import { Choice, TextInput, type FormParts } from './field';
import { FallbacksField } from './fallbacks_field';
import { texts } from './texts';

interface Props extends FormParts {
  others: readonly string[];
  onFallbacks: (names: readonly string[]) => void;
}

const images = () => [
  ['auto', texts.images.auto],
  ['yes', texts.images.yes],
  ['no', texts.images.no],
] as const;

const resumes = () => [
  ['restart', texts.resumes.restart],
  ['prefill', texts.resumes.prefill],
] as const;

/** What most profiles leave as it is. */
export function MoreFields({ others, onFallbacks, ...parts }: Props) {
  return (
    <details class="more-fields">
      <summary>{texts.editor.more}</summary>
      <div class="fields">
        <TextInput {...parts} field="context_window" numeric placeholder="32768"
          hint={texts.hints.context} />
        <TextInput {...parts} field="parameters.max_tokens" numeric placeholder={texts.hints.asProvider}
          hint={texts.hints.tokens} />
        <TextInput {...parts} field="parameters.temperature" numeric
          placeholder={texts.hints.asProvider} hint={texts.hints.temperature} />
        <TextInput {...parts} field="parameters.top_p" numeric placeholder={texts.hints.asProvider}
          hint={texts.hints.top_p} />
        <TextInput {...parts} field="parameters.reasoning_effort"
          placeholder={texts.hints.asProvider} offers={['minimal', 'low', 'medium', 'high']}
          hint={texts.hints.effort} />
        <Choice {...parts} field="images" options={images()} hint={texts.hints.images} />
        <Choice {...parts} field="resume" options={resumes()}
          hint={texts.hints.resume} />
        <FallbacksField chosen={parts.form.fallbacks} others={others} errors={parts.errors}
          onChange={onFallbacks} />
        <TextInput {...parts} field="provider" wide placeholder={texts.hints.asAddress}
          hint={texts.hints.provider} />
      </div>
      <fieldset class="prices">
        <legend>{texts.editor.prices}</legend>
        <div class="fields three">
          <TextInput {...parts} field="prices.input" numeric placeholder="0" />
          <TextInput {...parts} field="prices.cached_input" numeric placeholder={texts.hints.asInput} />
          <TextInput {...parts} field="prices.output" numeric placeholder="0" />
        </div>
      </fieldset>
    </details>
  );
}
