import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../kernel/texts/texts';

interface Props {
  label: string;
  first: string;
  onName: (name: string) => void;
  onCancel: () => void;
}

/** Asks for a name, or a path. */
export function NameForm({ label, first, onName, onCancel }: Props) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.select(), []);
  return (
    <form class="key-form" onSubmit={(event) => {
      event.preventDefault();
      const name = input.current?.value.trim() ?? '';
      if (name !== '') onName(name);
    }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        onCancel();
      }}>
      <input ref={input} type="text" aria-label={label} defaultValue={first} maxLength={1024}
        spellcheck={false} />
      <button type="submit" class="small primary">{t.save}</button>
      <button type="button" class="small" onClick={onCancel}>{t.cancel}</button>
    </form>
  );
}
