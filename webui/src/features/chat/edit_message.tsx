import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import { useUnsaved } from '../../ui/leave_guard';
import { isTouch } from '../../ui/pointer';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

interface Props {
  text: string;
  onSend: (text: string) => void;
  onCancel: () => void;
}

/** A message once more, to be asked in other words; the chat it stands in stays as it is. */
export function EditMessage({ text, onSend, onCancel }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [words, setWords] = useState(text);
  const [asking, setAsking] = useState(false);
  useUnsaved(() => words !== text);
  useLayoutEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(text.length, text.length);
  }, []);
  const send = () => words.trim() !== '' && onSend(words.trim());
  return (
    <form class="edit-message" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea ref={area} value={words} rows={3} dir="auto" enterkeyhint={isTouch() ? 'enter' : 'send'} aria-label={texts.turn.editLabel}
        onInput={(event) => setWords(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.isComposing || event.keyCode === 229) return;
          if (event.key === 'Escape') {
            event.preventDefault();
            if (words === text) onCancel();
            else setAsking(true);
          }
          if (event.key !== 'Enter' || event.shiftKey || (isTouch() && !event.ctrlKey && !event.metaKey)) return;
          event.preventDefault();
          send();
        }} />
      <p class="note">{texts.turn.editNote}</p>
      <div class="dialog-foot">
        <button type="button" onClick={onCancel}>{t.cancel}</button>
        <button type="submit" class="primary" disabled={words.trim() === ''}>
          <Icon name="branch" /><span>{texts.turn.sendFork}</span>
        </button>
      </div>
      {asking && (
        <ConfirmDialog question={t.unsaved.question} yes={t.unsaved.discard} no={t.unsaved.keep}
          onNo={() => setAsking(false)} onYes={onCancel}>
          {t.unsaved.text}
        </ConfirmDialog>
      )}
    </form>
  );
}
