import { useCallback, useMemo, useRef, useState } from 'preact/hooks';
import { deleteWithUndo } from './delete_session';
import { selected } from '../../kernel/route';
import * as list from './session_list';
import { searching, searchWords, shownSessions } from './session_search';
import { t } from '../../kernel/texts/texts';
import { linesOf, type ListLine } from './session_groups';
import { RenameField, SessionRow } from './session_row';
import { VirtualList } from '../../ui/virtual_list';

/** As styles/sidebar.css has them. */
const rowPx = 38;
const headingPx = 36;

export function SessionRows({ onPick }: { onPick: (id: string) => void }) {
  const [renaming, setRenaming] = useState<string | null>(null);
  const scroller = useRef<HTMLElement>(null);
  const shown = shownSessions.value;
  const isSearch = searchWords.value.trim() !== '';
  const lines = useMemo(() => linesOf(shown, Date.now()), [shown]);
  const picked = useRef(onPick);
  picked.current = onPick;
  const pick = useCallback((id: string) => picked.current(id), []);
  const more = () => {
    // A list that cannot be read on is told of elsewhere; scrolling asks again.
    if (!isSearch) void list.readMore().catch(() => {});
  };
  return (
    <nav ref={scroller} aria-label={t.list.chats} class="chats" onKeyDown={step}>
      <VirtualList items={lines} heightOf={heightOf} keyOf={keyOf} scroller={scroller}
        onNearEnd={more} shown={selected.value}>
        {(line) => line.kind === 'heading' ? (
          <li key={`day ${line.name}`} class="day">
            <h2>{line.name}</h2>
          </li>
        ) : (
          <li key={line.session.session_id} aria-setsize={setSize(shown.length)}
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
      {list.loaded.value && shown.length === 0 && (
        <p class="no-chats" role="status">
          {!isSearch ? t.list.none : searching.value ? t.list.searching : t.list.noneFound}
        </p>
      )}
    </nav>
  );
}

const heightOf = (line: ListLine) => (line.kind === 'heading' ? headingPx : rowPx);
const keyOf = (line: ListLine) => (line.kind === 'session' ? line.session.session_id : line.name);
/** -1: how many there are is not known yet. */
const setSize = (known: number) => (list.nextCursor.value === null ? known : -1);

/** Up and down go from chat to chat. */
function step(event: KeyboardEvent): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const from = event.target as HTMLElement;
  if (by === undefined || !from.matches('.row a')) return;
  event.preventDefault();
  const links = [...document.querySelectorAll<HTMLElement>('.chats .row a')];
  links[links.indexOf(from) + by]?.focus();
}
