import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { sizeText } from './size';
import { sendFiles } from './upload';
import { joined, WorkFolder } from './workdir';
import type { WorkEntry, WorkList } from '../../kernel/api/types';
import type { PlaceProps } from '../../ui/place';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import type { LeaveGuard } from '../../ui/leave_guard';
import { Problem } from '../../ui/problem';
import { Dialog, Loading } from '../../ui/dialog';
import { FileEditor } from './file_editor';
import { NameForm } from '../../ui/name_form';
import { dialogTexts } from './dialog_texts';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';
import './files.css';

/** The work folder that tools see: a session's own, or the one that all share. */
export function FilesModal({ sessionId, guard, onClose }: PlaceProps) {
  const [isShared, setShared] = useState(sessionId === null);
  const folder = useMemo(() => new WorkFolder(isShared ? null : sessionId), [isShared, sessionId]);
  const show = (shared: boolean) => {
    const go = () => setShared(shared);
    if (!guard.current?.('aside', go)) go();
  };
  return (
    <Dialog title={texts.titles.files} onClose={onClose} guard={guard} wide>
      {sessionId !== null && (
        <fieldset class="choice">
          <legend class="unseen">{dialogTexts.work.whose}</legend>
          {[false, true].map((shared) => (
            <label key={String(shared)}>
              <input type="radio" name="whose" checked={isShared === shared}
                onChange={(event) => {
                  event.currentTarget.checked = isShared === shared;
                  show(shared);
                }} />
              <span>{shared ? dialogTexts.work.shared : dialogTexts.work.own}</span>
            </label>
          ))}
        </fieldset>
      )}
      <Browser key={String(isShared)} folder={folder} guard={guard} />
    </Dialog>
  );
}

type Doing =
  | { readonly what: 'rename' | 'remove' | 'edit'; readonly path: string }
  | { readonly what: 'new folder' | 'new file' };

/** What is listed, and of which folder: the reader may be on the way to another. */
interface Listed {
  readonly path: string;
  readonly list: WorkList;
}

function Browser({ folder, guard }: { folder: WorkFolder; guard: LeaveGuard }) {
  const [path, setPath] = useState('');
  const [listed, setListed] = useState<Listed | null>(null);
  const [problem, setProblem] = useState('');
  const [doing, setDoing] = useState<Doing | null>(null);
  const [progress, setProgress] = useState<number | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const here = useRef(path);
  const reads = useRef(0);

  /** Of two readings the later counts, whichever is answered first. */
  const read = useCallback(async () => {
    const [turn, where] = [++reads.current, here.current];
    const list = await folder.list(where);
    if (turn === reads.current) setListed({ path: where, list });
  }, [folder]);

  const run = useCallback(async (work: () => Promise<unknown>) => {
    setProblem('');
    try {
      await work();
      setDoing(null);
      await read();
    } catch (error) {
      setProblem(sentence(error));
    }
  }, [read]);

  const go = (to: string) => {
    here.current = to;
    setPath(to);
    setDoing(null);
    void run(async () => {});
  };

  useEffect(() => {
    void run(async () => {});
    // What is still on its way is for nobody any more.
    return () => void reads.current++;
  }, [run]);

  const upload = (files: FileList | null) => files?.length && run(async () => {
    const sending = sendFiles(folder.uploadPath(path), [...files], (sent, of) => setProgress(sent / of));
    await sending.done.finally(() => setProgress(null));
  });

  if (doing?.what === 'edit') {
    return <FileEditor folder={folder} path={doing.path} guard={guard} onBack={() => void run(async () => {})} />;
  }
  const list = listed?.list;
  return (
    <>
      <div class="row-of-buttons">
        <Crumbs path={path} onGo={go} />
        <input ref={input} type="file" multiple hidden aria-label={texts.choose}
          onChange={(event) => void upload(event.currentTarget.files)} />
        <button type="button" class="small" onClick={() => input.current?.click()}>
          <Icon name="upload" /><span>{dialogTexts.work.upload}</span>
        </button>
        <button type="button" class="small" onClick={() => setDoing({ what: 'new file' })}>
          <Icon name="file" /><span>{dialogTexts.work.newFile}</span>
        </button>
        <button type="button" class="small" onClick={() => setDoing({ what: 'new folder' })}>
          <Icon name="folder" /><span>{dialogTexts.work.newFolder}</span>
        </button>
      </div>
      {progress !== null && <progress class="whole-progress" value={progress} aria-label={dialogTexts.work.uploading} />}
      <Problem text={problem} />
      {(doing?.what === 'new folder' || doing?.what === 'new file') && (
        <NameForm label={dialogTexts.work.name} first="" onCancel={() => setDoing(null)}
          onName={(name) => run(() => doing.what === 'new folder'
            ? folder.makeFolder(joined(path, name)) : folder.write(joined(path, name), ''))} />
      )}
      {!list || listed?.path !== path ? problem === '' && <Loading /> : (
        <>
          <p class="settings-hint">{dialogTexts.work.used(sizeText(list.used_bytes), sizeText(list.bytes_max))}</p>
          {list.entries.length === 0 && <p>{dialogTexts.work.empty}</p>}
          <ul class="keys work-list">
            {list.entries.map((entry) => {
              const full = joined(path, entry.name);
              return (
                <li key={entry.name} class="key">
                  {doing?.what === 'rename' && doing.path === full ? (
                    <NameForm label={dialogTexts.work.moveTo} first={full} onCancel={() => setDoing(null)}
                      onName={(name) => run(() => folder.move(full, name))} />
                  ) : (
                    <Entry entry={entry} href={folder.downloadUrl(full)}
                      onOpen={() => entry.kind === 'folder' ? go(full) : setDoing({ what: 'edit', path: full })}
                      onMove={() => setDoing({ what: 'rename', path: full })}
                      onRemove={() => setDoing({ what: 'remove', path: full })} />
                  )}
                </li>
              );
            })}
          </ul>
          {!list.complete && <p class="settings-hint">{dialogTexts.work.notAll}</p>}
        </>
      )}
      {doing?.what === 'remove' && (
        <ConfirmDialog question={dialogTexts.work.removeQuestion} yes={t.delete} no={t.cancel}
          onNo={() => setDoing(null)} onYes={() => { setDoing(null); void run(() => folder.remove(doing.path)); }}>
          {dialogTexts.work.removeText(doing.path)}
        </ConfirmDialog>
      )}
    </>
  );
}

interface EntryProps {
  entry: WorkEntry;
  href: string;
  onOpen: () => void;
  onMove: () => void;
  onRemove: () => void;
}

function Entry({ entry, href, onOpen, onMove, onRemove }: EntryProps) {
  const { name, kind, size_bytes: size } = entry;
  return (
    <>
      <button type="button" class="quiet work-name" disabled={kind === 'other'} onClick={onOpen}>
        <Icon name={kind === 'folder' ? 'folder' : 'file'} /><span dir="auto">{name}</span>
      </button>
      {size !== undefined && <small>{sizeText(size)}</small>}
      <span class="key-actions">
        <a class="icon-link" href={href} download aria-label={dialogTexts.work.download(name)} title={dialogTexts.work.download(name)}>
          <Icon name="download" />
        </a>
        <button type="button" class="quiet small" onClick={onMove} aria-label={dialogTexts.work.move(name)}
          title={dialogTexts.work.move(name)}><Icon name="pencil" /></button>
        <button type="button" class="quiet small" onClick={onRemove} aria-label={t.deleteThe(name)}
          title={t.deleteThe(name)}><Icon name="trash" /></button>
      </span>
    </>
  );
}

function Crumbs({ path, onGo }: { path: string; onGo: (path: string) => void }) {
  const steps = path === '' ? [] : path.split('/');
  return (
    <nav class="crumbs" aria-label={dialogTexts.work.where}>
      <button type="button" class="link" onClick={() => onGo('')}>{dialogTexts.work.top}</button>
      {steps.map((step, i) => (
        <span key={i}>
          {' / '}
          <button type="button" class="link" onClick={() => onGo(steps.slice(0, i + 1).join('/'))}>{step}</button>
        </span>
      ))}
    </nav>
  );
}
