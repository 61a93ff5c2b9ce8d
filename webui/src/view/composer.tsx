import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon, StopIcon } from './icon';

interface Props {
  /** The chat the text belongs to; each keeps its own draft. */
  chat: string;
  busy: boolean;
  disabled: boolean;
  onSend: (text: string) => void;
  onStop: (() => void) | null;
}

const drafts = new Map<string, string>();
const heightMaxPx = 240;

export function Composer({ chat, busy, disabled, onSend, onStop }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(drafts.get(chat) ?? '');

  useLayoutEffect(() => {
    setText(drafts.get(chat) ?? '');
    if (matchMedia('(pointer: fine)').matches) area.current?.focus();
  }, [chat]);

  useLayoutEffect(() => {
    const box = area.current;
    if (!box) return;
    box.style.height = 'auto';
    box.style.height = `${Math.min(box.scrollHeight, heightMaxPx)}px`;
  }, [text]);

  const change = (value: string) => {
    drafts.set(chat, value);
    setText(value);
  };

  const send = () => {
    const words = text.trim();
    if (words === '' || disabled) return;
    change('');
    onSend(words);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes, Enter belongs to it; Safari says so only by the key code.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    send();
  };

  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea ref={area} rows={1} value={text} aria-label="Message"
        placeholder={busy ? 'Queue a message…' : 'Message the agent…'}
        onInput={(event) => change(event.currentTarget.value)} onKeyDown={onKeyDown} />
      {onStop && (
        <button type="button" class="round stop" onClick={onStop} aria-label="Stop" title="Stop">
          <StopIcon />
        </button>
      )}
      <button type="submit" class="round send" disabled={text.trim() === '' || disabled}
        aria-label={busy ? 'Queue the message' : 'Send'} title={busy ? 'Queue' : 'Send'}>
        <Icon name="send" />
      </button>
    </form>
  );
}
