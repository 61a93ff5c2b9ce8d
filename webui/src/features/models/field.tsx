import type { ComponentChildren } from 'preact';
import { labelOf, type Field, type FieldErrors, type ProfileForm } from './profile_form';
import { Icon } from '../../ui/icon';

export type TextField = {
  [Name in Field]: ProfileForm[Name] extends string ? Name : never;
}[Field];

export interface FormParts {
  form: ProfileForm;
  errors: FieldErrors;
  onChange: (field: TextField, value: string) => void;
}

interface FrameProps {
  field: Field;
  errors: FieldErrors;
  hint?: ComponentChildren;
  wide?: boolean;
  children: ComponentChildren;
}

export const fieldId = (field: Field) => `field-${field.replace('.', '-')}`;

function described(field: Field, errors: FieldErrors, hint: ComponentChildren) {
  const id = fieldId(field);
  const ids = [errors[field] ? `${id}-problem` : '', hint ? `${id}-hint` : ''];
  return ids.filter((each) => each !== '').join(' ') || undefined;
}

export function FieldFrame({ field, errors, hint, wide, children }: FrameProps) {
  const id = fieldId(field);
  const problem = errors[field];
  return (
    <div class={wide ? 'field wide' : 'field'} data-field={field}>
      <label for={id}>{labelOf(field)}</label>
      {children}
      {problem && (
        <p class="field-problem" id={`${id}-problem`} role="alert"><Icon name="alert" />{problem}</p>
      )}
      {hint && <p class="field-hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}

interface InputProps extends FormParts {
  field: TextField;
  hint?: ComponentChildren;
  placeholder?: string;
  /** Digits only on a phone's keyboard. */
  numeric?: boolean;
  disabled?: boolean;
  wide?: boolean;
  offers?: readonly string[];
}

export function TextInput({
  form, errors, onChange, field, hint, placeholder, numeric, disabled, wide, offers,
}: InputProps) {
  const id = fieldId(field);
  return (
    <FieldFrame field={field} errors={errors} hint={hint} wide={wide ?? false}>
      <input id={id} type="text" value={form[field]} disabled={disabled} placeholder={placeholder}
        inputMode={numeric ? 'decimal' : field === 'base_url' ? 'url' : 'text'}
        autocomplete="off" autocapitalize="off" spellcheck={false}
        list={offers && offers.length > 0 ? `${id}-offers` : undefined}
        aria-invalid={errors[field] !== undefined} aria-describedby={described(field, errors, hint)}
        onInput={(event) => onChange(field, event.currentTarget.value)} />
      {offers && offers.length > 0 && (
        <datalist id={`${id}-offers`}>
          {offers.map((offer) => <option key={offer} value={offer} />)}
        </datalist>
      )}
    </FieldFrame>
  );
}

interface ChoiceProps extends FormParts {
  field: 'images' | 'kind' | 'resume';
  options: readonly (readonly [value: string, name: string])[];
  hint?: ComponentChildren;
}

export function Choice({ form, errors, onChange, field, options, hint }: ChoiceProps) {
  return (
    <FieldFrame field={field} errors={errors} hint={hint}>
      <select id={fieldId(field)} value={form[field]} aria-invalid={errors[field] !== undefined}
        aria-describedby={described(field, errors, hint)}
        onChange={(event) => onChange(field, event.currentTarget.value)}>
        {options.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
      </select>
    </FieldFrame>
  );
}
