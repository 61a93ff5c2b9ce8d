import { useState } from 'preact/hooks';
import { Icon } from './icon';
import { t } from '../kernel/texts/texts';

/** Copies what `text` answers; where the clipboard is not allowed (plain http), selects nothing. */
export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await toClipboard(text()))) return;
    setCopied(true);
    setTimeout(() => setCopied(false), 1600);
  };
  return (
    <button type="button" class="quiet small" onClick={copy} title={label}>
      <Icon name={copied ? 'check' : 'copy'} />
      <span>{copied ? t.copied : label}</span>
    </button>
  );
}

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
