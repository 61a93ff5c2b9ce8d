import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { texts } from './texts';

interface Props {
  input: RefObject<HTMLInputElement>;
  label: string;
  id?: string;
  placeholder?: string;
  describedBy?: string | undefined;
  autofocus?: boolean;
  onInput?: () => void;
}

/**
 * Takes a secret and keeps it out of everything else: no state, no attribute, no draft, and
 * nothing for password managers to take.
 */
export function SecretInput({
  input, label, id, placeholder, describedBy, autofocus, onInput,
}: Props) {
  // Before the next key arrives: an Escape that is meant for this must not close what is around it.
  useLayoutEffect(() => {
    if (!autofocus) return;
    input.current?.focus();
    input.current?.form?.scrollIntoView({ block: 'nearest' });
  }, []);
  return (
    <input ref={input} id={id} type="password" aria-label={id ? undefined : label}
      autocomplete="off" autocapitalize="off" spellcheck={false} maxLength={4096}
      data-1p-ignore data-lpignore="true" data-bwignore placeholder={placeholder ?? texts.keys.paste}
      aria-describedby={describedBy} onInput={onInput} />
  );
}
