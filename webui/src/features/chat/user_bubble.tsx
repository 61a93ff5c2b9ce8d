import { useState } from 'preact/hooks';
import type { AttachmentRef } from '../../kernel/session/state';
import { t } from '../../kernel/texts/texts';
import { AttachmentList } from '../files/attachment_list';
import { Icon } from '../../ui/icon';

interface Props {
  text: string;
  files?: readonly AttachmentRef[];
  note: string;
  look: 'pending' | 'refused' | '';
}

/** Longer than this, a message is folded: what was pasted is not what was said. */
const longChars = 1_600;
const longLines = 18;

export function UserBubble({ text, files = [], note, look }: Props) {
  const [open, setOpen] = useState(false);
  const long = text.length > longChars || text.split('\n', longLines + 1).length > longLines;
  return (
    <div class={`user ${look}`}>
      <h2 class="unseen">{t.chat.youSaid}</h2>
      <div class={long && !open ? 'bubble folded' : 'bubble'} dir="auto">{text}</div>
      <AttachmentList files={files} />
      {long && (
        <button type="button" class="quiet small" aria-expanded={open}
          onClick={() => setOpen(!open)}>
          {open ? t.chat.less : t.chat.all}
        </button>
      )}
      {note && <p class="note" role="status"><Icon name="clock" />{note}</p>}
    </div>
  );
}
