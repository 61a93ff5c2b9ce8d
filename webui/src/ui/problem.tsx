import type { ComponentChildren } from 'preact';
import { Icon } from './icon';
import { t } from '../kernel/texts/texts';

interface Props {
  text: string;
  onRetry?: (() => unknown) | null;
  /** Shown while there is no problem. */
  children?: ComponentChildren;
}

export function Problem({ text, onRetry, children }: Props) {
  if (text === '') return <>{children}</>;
  return (
    <div class="notice bad" role="alert">
      <Icon name="alert" />
      <p>{text}</p>
      {onRetry && (
        <button type="button" class="small" onClick={onRetry}>
          <Icon name="retry" /><span>{t.tryAgain}</span>
        </button>
      )}
    </div>
  );
}
