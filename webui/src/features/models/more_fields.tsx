import { tm } from './texts';
import { Choice, TextInput, type FormParts } from './field';
import { FallbacksField } from './fallbacks_field';

interface Props extends FormParts {
  others: readonly string[];
  onFallbacks: (names: readonly string[]) => void;
}

const images = [
  ['auto', tm.images.auto],
  ['yes', tm.images.yes],
  ['no', tm.images.no],
] as const;

const resumes = [
  ['restart', tm.resumes.restart],
  ['prefill', tm.resumes.prefill],
] as const;

/** What most profiles leave as it is. */
export function MoreFields({ others, onFallbacks, ...parts }: Props) {
  return (
    <details class="more-fields">
      <summary>{tm.editor.more}</summary>
      <div class="fields">
        <TextInput {...parts} field="context_window" numeric placeholder="32768"
          hint={tm.hints.context} />
        <TextInput {...parts} field="parameters.max_tokens" numeric placeholder={tm.hints.asProvider}
          hint={tm.hints.tokens} />
        <TextInput {...parts} field="parameters.temperature" numeric
          placeholder={tm.hints.asProvider} hint={tm.hints.temperature} />
        <TextInput {...parts} field="parameters.top_p" numeric placeholder={tm.hints.asProvider}
          hint={tm.hints.top_p} />
        <TextInput {...parts} field="parameters.reasoning_effort"
          placeholder={tm.hints.asProvider} offers={['minimal', 'low', 'medium', 'high']}
          hint={tm.hints.effort} />
        <Choice {...parts} field="images" options={images} hint={tm.hints.images} />
        <Choice {...parts} field="resume" options={resumes}
          hint={tm.hints.resume} />
        <FallbacksField chosen={parts.form.fallbacks} others={others} errors={parts.errors}
          onChange={onFallbacks} />
        <TextInput {...parts} field="provider" wide placeholder={tm.hints.asAddress}
          hint={tm.hints.provider} />
      </div>
      <fieldset class="prices">
        <legend>{tm.editor.prices}</legend>
        <div class="fields three">
          <TextInput {...parts} field="prices.input" numeric placeholder="0" />
          <TextInput {...parts} field="prices.cached_input" numeric placeholder={tm.hints.asInput} />
          <TextInput {...parts} field="prices.output" numeric placeholder="0" />
        </div>
      </fieldset>
    </details>
  );
}
