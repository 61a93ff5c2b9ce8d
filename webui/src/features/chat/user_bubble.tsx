import { useState } from 'preact/hooks';
import type { AttachmentRef } from '../../kernel/session/state';
import { AttachmentList } from '../files/attachment_list';
import { Icon } from '../../ui/icon';
import { texts } from './texts';

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
      <h2 class="unseen">{texts.chat.youSaid}</h2>
      <div class={long && !open ? 'bubble folded' : 'bubble'} dir="auto">{text}</div>
      <AttachmentList files={files} />
      {long && (
        <button type="button" class="quiet small" aria-expanded={open}
          onClick={() => setOpen(!open)}>
          {open ? texts.chat.less : texts.chat.all}
        </button>
      )}
      {note && <p class="note" role="status"><Icon name="clock" />{note}</p>}
    </div>
  );
}
