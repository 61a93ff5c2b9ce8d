import { useCallback, useMemo, useRef, useState } from 'preact/hooks';
import { Deletes } from './delete_session';
import { selected } from '../../kernel/route';
import { SessionList } from './session_list';
import { SessionSearch } from './session_search';
import { usePart } from '../../ui/use_part';
import { linesOf, type ListLine } from './session_groups';
import { RenameField, SessionRow } from './session_row';
import { VirtualList } from '../../ui/virtual_list';
import { texts } from './texts';
import './sessions.css';

/** As sessions.css has them. */
const rowPx = 38;
const headingPx = 36;

export function SessionRows({ onPick }: { onPick: (id: string) => void }) {
  const list = usePart(SessionList);
  const search = usePart(SessionSearch);
  const { deleteWithUndo } = usePart(Deletes);
  const [renaming, setRenaming] = useState<string | null>(null);
  const scroller = useRef<HTMLElement>(null);
  const shown = search.shown.value;
  const isSearch = search.words.value.trim() !== '';
  const lines = useMemo(() => linesOf(shown, Date.now()), [shown]);
  const picked = useRef(onPick);
  picked.current = onPick;
  const pick = useCallback((id: string) => picked.current(id), []);
  const more = () => {
    // A list that cannot be read on is told of elsewhere; scrolling asks again.
    if (!isSearch) void list.readMore().catch(() => {});
  };
  return (
    <nav ref={scroller} aria-label={texts.list.chats} class="chats" onKeyDown={step}>
      <VirtualList items={lines} heightOf={heightOf} keyOf={keyOf} scroller={scroller}
        onNearEnd={more} shown={selected.value}>
        {(line) => line.kind === 'heading' ? (
          <li key={`day ${line.name}`} class="day">
            <h2>{line.name}</h2>
          </li>
        ) : (
          // -1: how many there are is not known yet.
          <li key={line.session.session_id} aria-setsize={list.isWhole.value ? shown.length : -1}
            aria-posinset={line.at + 1}>
            {renaming === line.session.session_id ? (
              <RenameField session={line.session} onDone={() => setRenaming(null)} />
            ) : (
              <SessionRow session={line.session} onPick={pick} onRename={setRenaming}
                onDelete={deleteWithUndo} />
            )}
          </li>
        )}
      </VirtualList>
      {list.isLoaded.value && shown.length === 0 && (
        <p class="no-chats" role="status">
          {!isSearch ? texts.list.none : search.isAsking.value ? texts.list.searching : texts.list.noneFound}
        </p>
      )}
    </nav>
  );
}

const heightOf = (line: ListLine) => (line.kind === 'heading' ? headingPx : rowPx);
const keyOf = (line: ListLine) => (line.kind === 'session' ? line.session.session_id : line.name);

/** Up and down go from chat to chat. */
function step(event: KeyboardEvent): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const from = event.target as HTMLElement;
  if (by === undefined || !from.matches('.row a')) return;
  event.preventDefault();
  const links = [...document.querySelectorAll<HTMLElement>('.chats .row a')];
  links[links.indexOf(from) + by]?.focus();
}
