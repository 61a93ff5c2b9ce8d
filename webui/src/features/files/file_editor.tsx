import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Problem as ServerProblem, sentence } from '../../kernel/api/http';
import type { WorkFolder } from './workdir';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import { useUnsaved, type LeaveGuard } from '../../ui/leave_guard';
import { Problem } from '../../ui/problem';
import { Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { dialogTexts } from './dialog_texts';
import { t } from '../../kernel/texts/texts';

interface Props {
  folder: WorkFolder;
  path: string;
  guard: LeaveGuard;
  onBack: () => void;
}

const picture = /\.(?:png|jpe?g|gif|webp|avif)$/i;

/** A file of the work folder: a picture is shown, a text can be changed. */
export function FileEditor({ folder, path, guard, onBack }: Props) {
  const isChanged = useRef(() => false);
  /** What is done when the reader agrees to lose the changes. */
  const [leaving, setLeaving] = useState<{ go: () => void } | null>(null);
  const leave = (go: () => void) => (isChanged.current() ? setLeaving({ go }) : go());
  useUnsaved(() => isChanged.current());
  useLayoutEffect(() => {
    guard.current = (how, go) => {
      if (how !== 'escape' && !isChanged.current()) return false;
      leave(how === 'escape' ? onBack : go);
      return true;
    };
    return () => (guard.current = null);
  });
  return (
    <>
      <button type="button" class="quiet small back" onClick={() => leave(onBack)}>
        <Icon name="back" /><span>{dialogTexts.work.back}</span>
      </button>
      <h3 class="file-name">{path}</h3>
      {picture.test(path)
        ? <img class="file-picture" src={folder.downloadUrl(path)} alt={path} />
        : <TextFile folder={folder} path={path} isChanged={isChanged} />}
      {leaving && (
        <ConfirmDialog question={t.unsaved.question} yes={t.unsaved.discard} no={t.unsaved.keep}
          onNo={() => setLeaving(null)} onYes={() => { isChanged.current = () => false; leaving.go(); }}>
          {t.unsaved.text}
        </ConfirmDialog>
      )}
    </>
  );
}

interface TextProps {
  folder: WorkFolder;
  path: string;
  /** Set to what tells whether there is something to lose. */
  isChanged: { current: () => boolean };
}

function TextFile({ folder, path, isChanged }: TextProps) {
  const [read, again] = useRead(() => folder.read(path));
  const area = useRef<HTMLTextAreaElement>(null);
  /** What the file holds, as far as this page knows; null: it is not there any more. */
  const stored = useRef<string | null>(null);
  const [said, setSaid] = useState({ problem: '', saved: false });
  const [changedElsewhere, setChangedElsewhere] = useState(false);
  useLayoutEffect(() => {
    if (read.is === 'read') stored.current = read.value.text;
    isChanged.current = () => area.current !== null && stored.current !== null && area.current.value !== stored.current;
  }, [read]);
  if (read.is === 'reading') return <Loading />;
  if (read.is === 'failed') return <Problem text={read.problem} onRetry={again} />;
  const { text, more, utf8 } = read.value;
  // What was cut, or is no text, would be lost by saving.
  const isFixed = more || !utf8;
  const save = async (over: boolean) => {
    const words = area.current?.value ?? '';
    try {
      // Tools write here, too. The API has no condition for a write, so the page looks first.
      if (!over && (await textNow(folder, path)) !== stored.current) return setChangedElsewhere(true);
      await folder.write(path, words);
      stored.current = words;
      setChangedElsewhere(false);
      setSaid({ problem: '', saved: true });
    } catch (error) {
      setSaid({ problem: sentence(error), saved: false });
    }
  };
  return (
    <>
      <Problem text={said.problem} />
      {isFixed && <p class="settings-hint">{more ? dialogTexts.work.onlyBeginning : dialogTexts.work.noText}</p>}
      <textarea ref={area} class="file-text" aria-label={path} defaultValue={text} readOnly={isFixed} dir="auto"
        spellcheck={false} onInput={() => said.saved && setSaid({ problem: '', saved: false })} />
      {!isFixed && (
        <div class="dialog-foot">
          <span role="status">{said.saved && dialogTexts.work.saved}</span>
          <button type="button" class="primary" onClick={() => save(false)}>{t.save}</button>
        </div>
      )}
      {changedElsewhere && (
        <ConfirmDialog question={dialogTexts.work.changedQuestion} yes={dialogTexts.work.writeOver} no={t.cancel}
          onNo={() => setChangedElsewhere(false)}
          onYes={() => { setChangedElsewhere(false); void save(true); }}>
          {dialogTexts.work.changedText}
        </ConfirmDialog>
      )}
    </>
  );
}

async function textNow(folder: WorkFolder, path: string): Promise<string | null> {
  try {
    return (await folder.read(path)).text;
  } catch (error) {
    if (error instanceof ServerProblem && error.status === 404) return null;
    throw error;
  }
}
