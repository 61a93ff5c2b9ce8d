import { useRef, useState } from 'preact/hooks';
import { sentence } from '../../api/http';
import type { WorkFolder } from '../../files/workdir';
import { t } from '../../texts/texts';
import { Icon } from '../icon';
import { Problem } from '../settings/problem';
import { Loading } from './dialog';
import { useRead } from './use_read';

interface Props {
  folder: WorkFolder;
  path: string;
  onBack: () => void;
}

const picture = /\.(?:png|jpe?g|gif|webp|avif)$/i;

/** A file of the work folder: a picture is shown, a text can be changed. */
export function FileEditor({ folder, path, onBack }: Props) {
  return (
    <>
      <button type="button" class="quiet small back" onClick={onBack}>
        <Icon name="back" /><span>{t.work.back}</span>
      </button>
      <h3 class="file-name">{path}</h3>
      {picture.test(path)
        ? <img class="file-picture" src={folder.downloadUrl(path)} alt={path} />
        : <TextFile folder={folder} path={path} />}
    </>
  );
}

function TextFile({ folder, path }: Omit<Props, 'onBack'>) {
  const [read, again] = useRead(() => folder.read(path));
  const area = useRef<HTMLTextAreaElement>(null);
  const [said, setSaid] = useState({ problem: '', saved: false });
  if (read.is === 'reading') return <Loading />;
  if (read.is === 'failed') return <Problem text={read.problem} onRetry={again} />;
  const { text, more, utf8 } = read.value;
  // What was cut, or is no text, would be lost by saving.
  const isFixed = more || !utf8;
  const save = async () => {
    try {
      await folder.write(path, area.current?.value ?? '');
      setSaid({ problem: '', saved: true });
    } catch (error) {
      setSaid({ problem: sentence(error), saved: false });
    }
  };
  return (
    <>
      <Problem text={said.problem} />
      {isFixed && <p class="settings-hint">{more ? t.work.onlyBeginning : t.work.noText}</p>}
      <textarea ref={area} class="file-text" aria-label={path} defaultValue={text} readOnly={isFixed}
        spellcheck={false} onInput={() => said.saved && setSaid({ problem: '', saved: false })} />
      {!isFixed && (
        <div class="dialog-foot">
          <span role="status">{said.saved && t.work.saved}</span>
          <button type="button" class="primary" onClick={save}>{t.save}</button>
        </div>
      )}
    </>
  );
}
