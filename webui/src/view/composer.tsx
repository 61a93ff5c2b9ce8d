import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { SessionStore } from '../session/session_store';
import { runtimeConfig } from '../state/account';
import { commandOf, completionsOf, type Completion } from '../state/commands';
import { draftOf, onDraft, setDraft } from '../state/drafts';
import { t } from '../texts/texts';
import { CompletionList, completionId } from './completion_list';
import { Icon, StopIcon } from './icon';

interface Props {
  /** The chat the text belongs to; each keeps its own draft. */
  chat: string;
  store: SessionStore | null;
  busy: boolean;
  disabled: boolean;
  onSend: (text: string) => void;
  onStop: (() => void) | null;
}

const heightMaxPx = 240;

export function Composer({ chat, store, busy, disabled, onSend, onStop }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(draftOf(chat));
  const [picked, setPicked] = useState(0);
  const [dismissed, setDismissed] = useState('');
  const offered = text === dismissed ? [] : completionsOf(text, store !== null);
  const at = Math.min(picked, offered.length - 1);
  const over = text.length - (runtimeConfig.value.limits?.message_chars_max ?? Infinity);

  useLayoutEffect(() => {
    setText(draftOf(chat));
    if (matchMedia('(pointer: fine)').matches) area.current?.focus();
    return onDraft((changed) => {
      if (changed === chat) setText(draftOf(chat));
    });
  }, [chat]);

  useLayoutEffect(() => {
    const box = area.current;
    if (!box) return;
    box.style.height = 'auto';
    box.style.height = `${Math.min(box.scrollHeight, heightMaxPx)}px`;
  }, [text]);

  const change = (value: string) => {
    setDraft(chat, value);
    setText(value);
    setPicked(0);
  };

  const send = (value = text) => {
    const words = value.trim();
    if (words === '' || disabled || over > 0) return;
    const command = commandOf(words, store !== null);
    change('');
    if (command) command[0].run(store, command[1]);
    else onSend(words);
  };

  const take = (completion: Completion) => {
    if (completion.isWhole) send(completion.text);
    else change(`${completion.text} `);
    area.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes, Enter belongs to it; Safari says so only by the key code.
    if (event.isComposing || event.keyCode === 229) return;
    const completion = offered[at];
    if (completion) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by !== undefined) {
        event.preventDefault();
        return setPicked((at + by + offered.length) % offered.length);
      }
      if (event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        return setDismissed(text);
      }
      if (event.key === 'Tab' && !event.shiftKey) {
        event.preventDefault();
        return change(completion.isWhole ? completion.text : `${completion.text} `);
      }
    }
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    if (completion && completion.text !== text.trim()) take(completion);
    else send();
  };

  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
      {offered.length > 0 && <CompletionList offered={offered} at={at} onTake={take} />}
      <textarea ref={area} rows={1} value={text} aria-label={t.composer.message}
        placeholder={busy ? t.composer.queueHere : t.composer.writeHere}
        aria-autocomplete="list" aria-controls={offered.length > 0 ? 'completions' : undefined}
        aria-invalid={over > 0} aria-describedby="too-long"
        aria-activedescendant={offered.length > 0 ? completionId(at) : undefined}
        onInput={(event) => change(event.currentTarget.value)} onKeyDown={onKeyDown} />
      {onStop && (
        <button type="button" class="round stop" onClick={onStop} aria-label={t.stop} title={t.stop}>
          <StopIcon />
        </button>
      )}
      <button type="submit" class="round send" disabled={text.trim() === '' || disabled || over > 0}
        aria-label={busy ? t.composer.queueIt : t.send} title={busy ? t.composer.queue : t.send}>
        <Icon name="send" />
      </button>
      <p id="too-long" class="too-long" role="status">{over > 0 && t.composer.tooLong(over)}</p>
    </form>
  );
}
