import { fieldId, FieldFrame } from './field';
import type { FieldErrors } from './profile_form';
import { Icon } from '../../ui/icon';
import { texts } from './texts';

interface Props {
  chosen: readonly string[];
  others: readonly string[];
  errors: FieldErrors;
  onChange: (names: readonly string[]) => void;
}

/** Names of profiles, in the order they are tried. */
export function FallbacksField({ chosen, others, errors, onChange }: Props) {
  const left = others.filter((name) => !chosen.includes(name));
  return (
    <FieldFrame field="fallbacks" errors={errors} hint={texts.hints.fallbacks} wide>
      {chosen.length > 0 && (
        <ol class="fallbacks">
          {chosen.map((name) => (
            <li key={name}>
              <span>{name}</span>
              <button type="button" class="quiet small" aria-label={texts.editor.remove(name)}
                onClick={() => onChange(chosen.filter((other) => other !== name))}>
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ol>
      )}
      <select id={fieldId('fallbacks')} value="" disabled={left.length === 0}
        aria-invalid={errors.fallbacks !== undefined}
        aria-describedby={`${fieldId('fallbacks')}-hint`}
        onChange={(event) => {
          const name = event.currentTarget.value;
          event.currentTarget.value = '';
          if (name !== '') onChange([...chosen, name]);
        }}>
        <option value="">{left.length === 0 ? texts.editor.noOther : texts.editor.addFallback}</option>
        {left.map((name) => <option key={name} value={name}>{name}</option>)}
      </select>
    </FieldFrame>
  );
}
