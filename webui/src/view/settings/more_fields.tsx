import { Choice, TextInput, type FormParts } from './field';
import { FallbacksField } from './fallbacks_field';

interface Props extends FormParts {
  others: readonly string[];
  onFallbacks: (names: readonly string[]) => void;
}

const resumes = [
  ['restart', 'Begin the answer anew'],
  ['prefill', 'Go on from its text'],
] as const;

/** What most profiles leave as it is. */
export function MoreFields({ others, onFallbacks, ...parts }: Props) {
  return (
    <details class="more-fields">
      <summary>Limits, parameters, prices, fallbacks</summary>
      <div class="fields">
        <TextInput {...parts} field="context_window" numeric placeholder="32768"
          hint="Tokens the model takes, its answer included." />
        <TextInput {...parts} field="parameters.max_tokens" numeric placeholder="as the provider likes"
          hint="Tokens." />
        <TextInput {...parts} field="parameters.temperature" numeric
          placeholder="as the provider likes" hint="0 to 2." />
        <TextInput {...parts} field="parameters.top_p" numeric placeholder="as the provider likes"
          hint="0 to 1." />
        <TextInput {...parts} field="parameters.reasoning_effort"
          placeholder="as the provider likes" offers={['minimal', 'low', 'medium', 'high']}
          hint="Low, medium, high, or the provider’s own word." />
        <Choice {...parts} field="resume" options={resumes}
          hint="Going on needs a provider that continues a given text." />
        <FallbacksField chosen={parts.form.fallbacks} others={others} errors={parts.errors}
          onChange={onFallbacks} />
        <TextInput {...parts} field="provider" wide placeholder="as the address says"
          hint="Whose key is sent, and under what name it is counted." />
      </div>
      <fieldset class="prices">
        <legend>Prices, in US dollars a million tokens</legend>
        <div class="fields three">
          <TextInput {...parts} field="prices.input" numeric placeholder="0" />
          <TextInput {...parts} field="prices.cached_input" numeric placeholder="as input" />
          <TextInput {...parts} field="prices.output" numeric placeholder="0" />
        </div>
      </fieldset>
    </details>
  );
}
