import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { usePart, useWorkspace } from '../../ui/use_part';
import { SessionList } from '../sessions/session_list';
import { listUses, type MemoryUse } from './memory_api';
import { SourceLink } from './source_link';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';
import './uses.css';

const pageSize = 20;

interface Known {
  readonly rows: readonly MemoryUse[];
  /** Where older ones begin; none where there are none. */
  readonly next: string | undefined;
}

/** Which answers a memory was used in: folded, and asked for when it is unfolded. */
export interface Uses {
  readonly id: string;
  readonly isOpen: boolean;
  readonly fold: () => void;
  /** Null until it was asked for; what is folded again still says how many there were. */
  readonly known: Known | null;
  readonly problem: string;
  readonly isBusy: boolean;
  /** From the newest on, or behind what is known. */
  readonly ask: (cursor?: string) => Promise<void>;
}

export function useUses(memoryId: string): Uses {
  const { ended } = useWorkspace();
  const sessions = usePart(SessionList);
  const [isOpen, setOpen] = useState(false);
  const [known, setKnown] = useState<Known | null>(null);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  /** An answer that nobody waits for any more changes nothing. */
  const asked = useRef(0);
  const ask = async (cursor?: string) => {
    const turn = ++asked.current;
    setBusy(true);
    setProblem('');
    try {
      const page = await listUses(memoryId, pageSize, cursor, ended);
      // What their chats are called is known before they are shown, so that no row changes.
      await sessions.learn(page.uses.map(({ session_id: id }) => id));
      if (turn !== asked.current) return;
      const before = cursor === undefined ? [] : known?.rows ?? [];
      setKnown({ rows: [...before, ...page.uses], next: page.next_cursor });
    } catch (error) {
      if (turn === asked.current && !ended.aborted) setProblem(sentence(error));
    }
    if (turn === asked.current) setBusy(false);
  };
  useEffect(() => {
    if (isOpen) void ask();
    return () => void asked.current++;
  }, [isOpen, memoryId]);
  return { id: useId(), isOpen, fold: () => setOpen(!isOpen), known, problem, isBusy, ask };
}

function said({ rows, next }: Known): string {
  if (next !== undefined) return texts.uses.more(rows.length);
  return rows.length === 0 ? texts.uses.none : texts.uses.count(rows.length);
}

export function UsesButton({ uses: { id, isOpen, known, fold } }: { uses: Uses }) {
  return (
    <button type="button" class="quiet small memory-uses-fold" aria-expanded={isOpen} aria-controls={id} onClick={fold}>
      <span>{known ? said(known) : texts.uses.title}</span><Icon name="chevron" />
    </button>
  );
}

export function UsesPanel({ uses: { id, isOpen, known, problem, isBusy, ask }, gist }: { uses: Uses; gist: string }) {
  const list = useRef<HTMLUListElement>(null);
  const rows = known?.rows ?? [];
  const next = known?.next;
  /** Behind how many older ones were asked for. */
  const behind = useRef(0);
  useLayoutEffect(() => {
    if (behind.current === 0 || rows.length <= behind.current) return;
    // The button may be gone: who works by keys goes on at the first of what came.
    list.current?.children[behind.current]?.querySelector('a')?.focus();
    behind.current = 0;
  }, [rows.length]);
  if (!isOpen) return null;
  const { uses: say } = texts;
  const more = () => {
    behind.current = rows.length;
    void ask(next);
  };
  return (
    <section class="memory-uses" id={id} aria-label={say.of(gist)}>
      <p class="unseen" role="status">{isBusy ? t.reading : known ? said(known) : ''}</p>
      <Problem text={problem} onRetry={() => (rows.length > 0 ? more() : void ask())} />
      {isBusy && !known && <p class="note" aria-hidden="true">{t.reading}…</p>}
      {known && rows.length === 0 && next === undefined && <p class="note">{say.noneHint}</p>}
      {rows.length > 0 && (
        <ul ref={list}>{rows.map((use) => <Row key={use.event_id} use={use} />)}</ul>
      )}
      {next !== undefined && problem === '' && (
        <button type="button" class="small" disabled={isBusy} onClick={more}>{texts.readOn}</button>
      )}
    </section>
  );
}

function Row({ use: { session_id: session, message_id: message, at } }: { use: MemoryUse }) {
  return (
    <li>
      <SourceLink sessionId={session} messageId={message} unknown={texts.uses.unknownChat} />
      <time dateTime={at}>{new Date(at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}</time>
    </li>
  );
}
