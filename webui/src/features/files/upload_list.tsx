import { Uploads, type Upload } from './attach';
import { sizeText } from './size';
import { usePart } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';
import './upload_list.css';

/** The files that go with the next message, and how far each is. */
export function UploadList({ uploads }: { uploads: readonly Upload[] }) {
  if (uploads.length === 0) return null;
  return (
    <ul class="uploads" aria-label={texts.toSend}>
      {uploads.map((upload) => <UploadView key={upload.key} upload={upload} />)}
    </ul>
  );
}

function UploadView({ upload }: { upload: Upload }) {
  const all = usePart(Uploads);
  const { key, name, size, sent, phase, problem, preview } = upload;
  const isOpen = phase === 'waiting' || phase === 'sending';
  const remove = isOpen ? texts.cancel(name) : texts.remove(name);
  return (
    <li class="upload" data-phase={phase}>
      {preview ? <img src={preview} alt="" /> : <Icon name={phase === 'failed' ? 'alert' : 'file'} />}
      <span class="upload-text">
        <strong dir="auto">{name}</strong>
        {isOpen ? (
          <progress max={Math.max(size, 1)} value={sent} aria-label={texts.progress(name)} />
        ) : (
          <span role={phase === 'failed' ? 'alert' : undefined}>{problem || sizeText(size)}</span>
        )}
      </span>
      {phase === 'failed' && (
        <button type="button" class="quiet small" onClick={() => all.retry(key)}
          aria-label={texts.retry(name)} title={t.tryAgain}><Icon name="retry" /></button>
      )}
      <button type="button" class="quiet small" onClick={() => all.detach(key)} aria-label={remove}
        title={remove}><Icon name="close" /></button>
    </li>
  );
}
