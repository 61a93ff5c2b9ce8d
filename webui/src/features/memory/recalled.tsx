import { memo } from 'preact/compat';
import { useEffect, useState } from 'preact/hooks';
import { asSentence, request } from '../../kernel/api/http';
import type { MemoryRecalled } from '../../kernel/api/types';
import type { Recalled, RecalledItem } from '../../kernel/session/state';
import { usePart } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { DocumentLink } from './document_link';
import { Forgets } from './forgets';
import { gistOf } from './gist';
import { MemoryText } from './memory_text';
import { SourceLink } from './source_link';
import { texts } from './turn_texts';
import { fileOf, placeWords, whenWords } from './who';
import './recalled.css';

interface Props {
  recalled: Recalled;
  /** Whether they can be forgotten from here; not where the past is only looked at. */
  canForget: boolean;
}

/** What a turn was told from memory: folded, each with where it is from. */
export const RecalledView = memo(({ recalled, canForget }: Props) => {
  const [open, setOpen] = useState(false);
  const { items, degraded, reason } = recalled;
  const why = reason && ` ${asSentence(reason)}`;
  if (items.length === 0) {
    return degraded ? (
      <p class="note recalled-none"><Icon name="alert" />{texts.nothingLookedThrough}{why}</p>
    ) : null;
  }
  return (
    <details class="recalled" open={open}>
      <summary onClick={(event) => { event.preventDefault(); setOpen(!open); }}>
        <Icon name="chevron" />
        <span>{texts.remembered(items.length)}{degraded && `, ${texts.notAll}`}</span>
      </summary>
      {open && (
        <div class="recalled-body">
          {degraded && <p class="note"><Icon name="alert" />{texts.degraded}{why}</p>}
          <Items items={items} canForget={canForget} />
        </div>
      )}
    </details>
  );
});

function Items({ items, canForget }: { items: readonly RecalledItem[]; canForget: boolean }) {
  const there = useThere(items);
  return (
    <ul>
      {items.map((item) => (
        <Item key={item.memoryId} item={item} canForget={canForget} isThere={there?.has(item.memoryId) ?? true}
          attachmentId={there?.get(item.memoryId) ?? ''} />
      ))}
    </ul>
  );
}

interface ItemProps {
  item: RecalledItem;
  canForget: boolean;
  isThere: boolean;
  /** The document it is from, which its event does not name; '' where there is none, or it is not known. */
  attachmentId: string;
}

function Item({ item, canForget, isThere, attachmentId }: ItemProps) {
  const forgets = usePart(Forgets);
  const forgotten = forgets.ids.value.get(item.memoryId);
  const isOver = !isThere || forgotten !== undefined;
  const file = fileOf(item.place);
  const facts = [
    item.kind === 'message' ? '' : texts.kinds[item.kind] ?? item.kind,
    attachmentId === '' ? file : '', placeWords(item.place), whenWords(item.createdAt),
  ].filter((words) => words !== '');
  return (
    <li data-forgotten={isOver}>
      <MemoryText text={item.text} />
      <div class="recalled-foot">
        <span class="recalled-about">
          {item.sessionId !== '' && <SourceLink sessionId={item.sessionId} messageId={item.messageId} />}
          {attachmentId !== '' && <DocumentLink attachmentId={attachmentId} file={file} />}
          {facts.length > 0 && <span dir="auto">{facts.join(' · ')}</span>}
        </span>
        {isOver ? (
          <span class="note" role="status">{forgotten === 'leaving' ? texts.isForgotten : texts.forgottenSince}</span>
        ) : canForget && item.memoryId !== '' && (
          <button type="button" class="quiet small" aria-label={texts.forgetThe(gistOf(item.text))}
            onClick={() => forgets.forgetWithUndo(item.memoryId, item.text)}>
            <Icon name="trash" /><span>{texts.forget}</span>
          </button>
        )}
      </div>
    </li>
  );
}

/** Which of them are remembered still, each with the document it is from; null where that is not known. */
function useThere(items: readonly RecalledItem[]): ReadonlyMap<string, string> | null {
  const [there, setThere] = useState<ReadonlyMap<string, string> | null>(null);
  useEffect(() => {
    const ids = [...new Set(items.map(({ memoryId }) => memoryId).filter((id) => id !== ''))].slice(0, 100);
    if (ids.length === 0) return;
    let isWanted = true;
    const asked = request<MemoryRecalled>('memory/recall', { method: 'POST', body: { ids, limit: ids.length } });
    // Where it cannot be asked, they are shown as they were.
    asked.then(({ items: found }) => {
      if (isWanted) setThere(new Map(found.map(({ memory_id: id, attachment_id: document }) => [id, document ?? ''])));
    }, () => {});
    return () => void (isWanted = false);
  }, [items]);
  return there;
}
