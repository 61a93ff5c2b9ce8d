import { useEffect, useState } from 'preact/hooks';
import { Loading } from '../../ui/dialog';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { usePart, useResource, useWorkspace } from '../../ui/use_part';
import { sizeText } from '../files/size';
import { Uploads } from '../files/attach';
import { SessionList } from '../sessions/session_list';
import { DocumentLink } from './document_link';
import { Documents } from './documents';
import { Forgets } from './forgets';
import type { KnownDocument } from './memory_api';
import { SourceLink } from './source_link';
import { texts } from './texts';
import { texts as turnTexts } from './turn_texts';
import { whenWords } from './who';
import './document_list.css';

/** So many are drawn at once. */
const drawnAtOnce = 30;

interface Props {
  /** Whether it is unfolded, as the address says. */
  open: boolean;
  onFold: (open: boolean) => void;
}

/** The documents that are kept as knowledge: folded, and read when they are unfolded. */
export function DocumentList({ open, onFold }: Props) {
  // Where a server takes no files there are none.
  if (usePart(Uploads).max === 0 && !open) return null;
  return (
    <details class="memory-documents" open={open}>
      <summary onClick={(event) => { event.preventDefault(); onFold(!open); }}>
        <Icon name="chevron" /><span>{texts.documents.title}</span>
      </summary>
      {open && <Shelf />}
    </details>
  );
}

function Shelf() {
  const shelf = useResource(Documents);
  const forgets = usePart(Forgets);
  const [room, setRoom] = useState(drawnAtOnce);
  const { documents: say } = texts;
  const read = shelf.value.value;
  const kept = read?.documents.filter(({ attachment_id: id, imported_at: at }) => !forgets.hasDocument(id, at)) ?? [];
  const drawn = kept.slice(0, room);
  useTitles(drawn);
  return (
    <div class="memory-shelf">
      <Problem text={shelf.problem.value} onRetry={() => shelf.read()} />
      {read === null && shelf.problem.value === '' && <Loading />}
      <p class="memory-fact" role="status">{read ? said(kept.length, read.isAll) : ''}</p>
      <ul aria-label={say.title}>
        {drawn.map((document) => <Row key={document.attachment_id} document={document} />)}
      </ul>
      {drawn.length < kept.length && (
        <button type="button" class="small" onClick={() => setRoom(room + drawnAtOnce)}>{texts.readOn}</button>
      )}
    </div>
  );
}

function said(n: number, isAll: boolean): string {
  const { documents: say } = texts;
  if (n === 0 && isAll) return say.none;
  return isAll ? say.listed(n) : say.listedSome(n);
}

/** Of chats that are older than the list of chats was read. */
function useTitles(documents: readonly KnownDocument[]): void {
  const sessions = usePart(SessionList);
  const ids = documents.map(({ session_id: id }) => id ?? '').filter((id) => id !== '').join('\n');
  useEffect(() => {
    if (ids !== '') void sessions.learn(ids.split('\n'));
  }, [sessions, ids]);
}

function Row({ document }: { document: KnownDocument }) {
  const { attachment_id: id, filename, session_id: session, passages, bytes, imported_at: at, owner } = document;
  const me = useWorkspace().identity.value.user_id;
  const forgets = usePart(Forgets);
  // A document outlives its chat: a link goes where there is one.
  const isThere = usePart(SessionList).infoOf(session ?? '') !== undefined;
  const facts = [
    texts.imports.passages(passages), texts.documents.text(sizeText(bytes)), owner === me ? '' : texts.item.by(owner),
  ].filter((fact) => fact !== '');
  const label = turnTexts.forgetThe(filename);
  return (
    <li data-document={id}>
      <div>
        <DocumentLink attachmentId={id} file={filename} />
        <span class="memory-document-facts">
          {facts.map((fact) => <span key={fact} dir="auto">{fact}</span>)}
          <time dateTime={at} title={new Date(at).toLocaleString()}>{whenWords(at)}</time>
          {session && isThere && <SourceLink sessionId={session} messageId="" />}
        </span>
      </div>
      <button type="button" class="quiet small" title={turnTexts.forget} aria-label={label} onClick={(event) => {
        focusNext(event.currentTarget);
        forgets.forgetDocumentWithUndo(document);
      }}>
        <Icon name="trash" />
      </button>
    </li>
  );
}

/** The row goes with its button: who works by keys goes on at the next, or where it was unfolded. */
function focusNext(button: HTMLElement): void {
  const row = button.closest('li');
  const next = (row?.nextElementSibling ?? row?.previousElementSibling)?.querySelector<HTMLElement>('button') ??
    button.closest('details')?.querySelector<HTMLElement>('summary');
  next?.focus();
}
