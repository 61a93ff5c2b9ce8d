import { useEffect, useRef } from 'preact/hooks';
import { Uploads } from '../files/attach';
import { open } from '../../kernel/route';
import { usePart, useWorkspace } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { DocumentLink } from './document_link';
import { Imports, isOpen, type KnowledgeFile } from './imports';
import { stateWords, summaryOf } from './import_words';
import { texts } from './texts';
import './import_panel.css';

/** Where a server takes no files, there is none. */
export function ImportButton() {
  const imports = usePart(Imports);
  const input = useRef<HTMLInputElement>(null);
  if (usePart(Uploads).max === 0) return null;
  const { begin, hint, choose } = texts.imports;
  return (
    <>
      <input ref={input} type="file" multiple hidden aria-label={choose} onChange={(event) => {
        imports.add([...(event.currentTarget.files ?? [])]);
        event.currentTarget.value = '';
      }} />
      <button type="button" class="memory-add memory-begin-import" onClick={() => input.current?.click()} aria-label={begin} title={hint}>
        <Icon name="upload" /><span>{begin}</span>
      </button>
    </>
  );
}

/** The documents that are being imported, and what came of them until the list is closed. */
export function ImportPanel() {
  const imports = usePart(Imports);
  const { isLive } = useWorkspace();
  useEffect(() => imports.look(), [imports]);
  const files = imports.all.value;
  const isRunning = files.some(isOpen);
  const said = files.length === 0 ? '' : isRunning ? (isLive.value ? runningWords(files) : texts.imports.paused) : summaryOf(files);
  return (
    <>
      {/* There before it says something, so that it is read out. */}
      <p class="unseen" role="status">{said}</p>
      {files.length > 0 && (
        <section class="card memory-imports" aria-label={texts.imports.begin}>
          <header>
            <h2 tabIndex={-1} dir="auto">{said}</h2>
            <Actions files={files} isRunning={isRunning} />
          </header>
          <ul aria-label={texts.imports.files}>
            {files.map((file) => <Row key={file.key} file={file} />)}
          </ul>
        </section>
      )}
    </>
  );
}

function runningWords(files: readonly KnowledgeFile[]): string {
  const at = files.findIndex(({ phase }) => phase === 'sending' || phase === 'reading');
  const nth = at >= 0 ? at : files.findIndex(isOpen);
  return texts.imports.at(nth + 1, files.length, files[nth]?.name ?? '');
}

function Actions({ files, isRunning }: { files: readonly KnowledgeFile[]; isRunning: boolean }) {
  const imports = usePart(Imports);
  if (isRunning) {
    return (
      <button type="button" class="small" onClick={(event) => { focusHead(event.currentTarget); imports.cancelAll(); }}>
        {texts.imports.cancelAll}
      </button>
    );
  }
  const failed = files.filter(({ phase }) => phase === 'failed').length;
  return (
    <>
      {failed > 1 && (
        <button type="button" class="small" onClick={(event) => { focusHead(event.currentTarget); imports.retryFailed(); }}>
          <Icon name="retry" /><span>{texts.imports.retryAll}</span>
        </button>
      )}
      {files.some(({ passages }) => passages > 0) && (
        <button type="button" class="small" onClick={() => open('memory', { kind: 'knowledge' })}>{texts.imports.show}</button>
      )}
      <button type="button" class="quiet small" aria-label={texts.imports.close} title={texts.imports.close}
        onClick={() => { imports.clear(); focusBegin(); }}>
        <Icon name="close" />
      </button>
    </>
  );
}

/** What was pressed goes; who works by keys is where the rest of it is. */
function focusHead(from: HTMLElement): void {
  from.closest('.memory-imports')?.querySelector('h2')?.focus();
}

function focusBegin(): void {
  document.querySelector<HTMLElement>('.memory-begin-import')?.focus();
}

const icons = {
  waiting: 'clock', sending: 'upload', reading: 'book', done: 'check', failed: 'alert', cancelled: 'close',
} as const;

function Row({ file }: { file: KnowledgeFile }) {
  const { key, name, size, sent, phase, isHeld, passages, made } = file;
  const isKept = phase === 'done' && passages > 0;
  return (
    <li class="memory-import" data-phase={phase} data-kept={isKept}>
      <Icon name={phase === 'done' && !isKept ? 'alert' : icons[phase]} />
      <div>
        {isKept && made
          ? <DocumentLink attachmentId={made.id} file={name} />
          : <strong dir="auto">{name}</strong>}
        <span>{stateWords(file)}</span>
        {phase === 'sending' && !isHeld && (
          <progress max={Math.max(size, 1)} value={sent} aria-label={texts.imports.isSent(name)} />
        )}
        {phase === 'reading' && !isHeld && <progress aria-label={texts.imports.isRead(name)} />}
      </div>
      <Act fileKey={key} name={name} phase={phase} />
    </li>
  );
}

/** One button, whatever it does: the focus stays where it is when a file goes on by itself. */
function Act({ fileKey, name, phase }: { fileKey: number; name: string; phase: KnowledgeFile['phase'] }) {
  const imports = usePart(Imports);
  const { imports: say } = texts;
  const isAgain = phase === 'failed' || phase === 'cancelled';
  const label = isAgain ? say.retry(name) : phase === 'done' ? say.remove(name) : say.cancel(name);
  const run = (button: HTMLElement) => {
    if (isAgain) imports.retry(fileKey);
    else if (phase !== 'done') imports.cancel(fileKey);
    else {
      const row = button.closest('li');
      const next = (row?.nextElementSibling ?? row?.previousElementSibling)?.querySelector('button');
      next?.focus();
      imports.remove(fileKey);
      if (!next) focusBegin();
    }
  };
  return (
    <button type="button" class="quiet small" aria-label={label} title={label} onClick={(event) => run(event.currentTarget)}>
      <Icon name={isAgain ? 'retry' : 'close'} />
    </button>
  );
}
