import { useEffect, useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { attachmentUrl } from './attachment_url';
import {
  beginningOf, deleteFile, factsOf, filesOfSession, previewBytes,
  type FileFacts, type NamedFile,
} from './session_files';
import { sizeText } from './size';
import type { PlaceProps } from '../../ui/place';
import { isPicture } from './attachment_list';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { Dialog, Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { dialogTexts } from './dialog_texts';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';
import './files.css';

/** How many files are asked about at once: a browser has six connections to a host. */
const atOnce = 3;

/** Every file that a chat names: what people attached, and what tools left. */
export function AttachmentsModal({ sessionId, onClose }: PlaceProps<string>) {
  const [read, again] = useRead(() => filesOfSession(sessionId));
  const files = read.is === 'read' ? read.value : [];
  const [facts, refresh] = useFacts(files);
  const [doomed, setDoomed] = useState<NamedFile | null>(null);
  const [problem, setProblem] = useState('');
  const remove = async ({ id }: NamedFile) => {
    setDoomed(null);
    setProblem('');
    try {
      await deleteFile(id);
    } catch (error) {
      setProblem(sentence(error));
    }
    refresh(id);
  };
  return (
    <Dialog title={texts.titles.attachments} onClose={onClose} wide>
      {read.is === 'reading' && <Loading />}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      <Problem text={problem} />
      {read.is === 'read' && files.length === 0 && <p class="settings-hint">{dialogTexts.attached.none}</p>}
      <ul class="profiles">
        {files.map((file) => (
          <FileCard key={file.id} file={file} facts={facts.get(file.id)} onRemove={() => setDoomed(file)} />
        ))}
      </ul>
      {doomed && (
        <ConfirmDialog question={dialogTexts.attached.question} yes={t.delete} no={t.cancel}
          onNo={() => setDoomed(null)} onYes={() => void remove(doomed)}>
          {dialogTexts.attached.warning}
        </ConfirmDialog>
      )}
    </Dialog>
  );
}

type Facts = FileFacts | string;

/** What is known of each file by its id, or a sentence that says why nothing is; a few at a time. */
function useFacts(files: readonly NamedFile[]): [ReadonlyMap<string, Facts>, (id: string) => void] {
  const [facts, setFacts] = useState<ReadonlyMap<string, Facts>>(new Map());
  const ids = files.map(({ id }) => id).join();
  const ask = async (id: string) => {
    const found = await factsOf(id).catch((error: unknown) => sentence(error));
    setFacts((known) => new Map(known).set(id, found));
  };
  useEffect(() => {
    let wanted = true;
    const waiting = files.map(({ id }) => id);
    const work = async () => {
      for (let id = waiting.shift(); wanted && id !== undefined; id = waiting.shift()) await ask(id);
    };
    for (let i = 0; i < atOnce; i++) void work();
    return () => void (wanted = false);
  }, [ids]);
  return [facts, (id) => void ask(id)];
}

interface CardProps {
  file: NamedFile;
  facts: Facts | undefined;
  onRemove: () => void;
}

function FileCard({ file, facts, onRemove }: CardProps) {
  const known = typeof facts === 'object' ? facts : null;
  const name = known?.filename || texts.file(file.id.slice(0, 8));
  const href = attachmentUrl(file.id);
  const isThere = known?.state === 'clean';
  const state = known ? dialogTexts.attached.states[known.state] ?? known.state : facts ?? t.reading;
  return (
    <li class="card file-card" data-file={file.id} data-state={known?.state ?? ''}>
      <span class="file-sight">
        {known && isThere && isPicture(known.contentType)
          ? <a href={href} target="_blank" rel="noopener"><img src={href} alt={name} loading="lazy" decoding="async" /></a>
          : <Icon name="file" />}
      </span>
      <div class="file-words">
        <strong>{name}</strong>
        <p>
          {[known?.contentType.split(';')[0], isThere ? sizeText(known.sizeBytes) : '', state]
            .filter((part) => part !== '' && part !== undefined).join(' · ')}
        </p>
        <p class="file-from">
          {file.toolId !== '' || file.said === '' ? dialogTexts.attached.fromTool(file.toolId.replaceAll('_', ' '))
            : dialogTexts.attached.fromMessage(inShort(file.said))}
          {file.at !== '' && <> <time dateTime={file.at}>{new Date(file.at).toLocaleString()}</time></>}
        </p>
        {known && isThere && isText(known.contentType) && <TextPreview id={file.id} size={known.sizeBytes} />}
      </div>
      <span class="key-actions">
        {isThere && (
          <a class="icon-link" href={href} download={known.filename || true} title={dialogTexts.work.download(name)}
            aria-label={dialogTexts.work.download(name)}>
            <Icon name="download" />
          </a>
        )}
        {known && known.state !== 'attachment.expired' && known.state !== 'attachment.not_found' && (
          <button type="button" class="quiet small" onClick={onRemove} title={t.deleteThe(name)}
            aria-label={t.deleteThe(name)}>
            <Icon name="trash" />
          </button>
        )}
      </span>
    </li>
  );
}

function inShort(words: string): string {
  const line = words.replace(/\s+/g, ' ').trim();
  return line.length <= 60 ? line : `${line.slice(0, 60).trimEnd()}…`;
}

const text = /^text\/|^application\/(?:json|xml|x-ndjson|yaml|toml|javascript)\b/;

function isText(contentType: string): boolean {
  return text.test(contentType);
}

function TextPreview({ id, size }: { id: string; size: number }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary class="file-look"><Icon name="chevron" />{dialogTexts.attached.look}</summary>
      {open && <Beginning id={id} size={size} />}
    </details>
  );
}

function Beginning({ id, size }: { id: string; size: number }) {
  const [read, again] = useRead(() => (size === 0 ? Promise.resolve('') : beginningOf(id)));
  if (read.is === 'reading') return <Loading />;
  if (read.is === 'failed') return <Problem text={read.problem} onRetry={again} />;
  return (
    <>
      <pre tabIndex={0} dir="auto" aria-label={dialogTexts.attached.look}>{read.value}</pre>
      {size > previewBytes && <p class="settings-hint">{dialogTexts.attached.onlyBeginning}</p>}
    </>
  );
}
