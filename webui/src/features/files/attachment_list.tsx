import { attachmentUrl } from './attachment_url';
import { sizeText } from './size';
import type { AttachmentRef } from '../../kernel/session/state';
import { Icon } from '../../ui/icon';
import { texts } from './texts';
import './attachment_list.css';

/** The files of a message: pictures are shown, all can be opened. */
export function AttachmentList({ files }: { files: readonly AttachmentRef[] }) {
  if (files.length === 0) return null;
  return (
    <ul class="attachments" aria-label={texts.attached}>
      {files.map((file) => <li key={file.id}><AttachmentView file={file} /></li>)}
    </ul>
  );
}

/** What a browser draws and cannot be a program. */
const picture = /^image\/(?:png|jpeg|gif|webp|avif)$/;

export function isPicture(contentType: string): boolean {
  return picture.test(contentType);
}

function AttachmentView({ file }: { file: AttachmentRef }) {
  const href = attachmentUrl(file.id);
  const name = file.filename || texts.aFile;
  if (isPicture(file.contentType)) {
    return (
      <a href={href} target="_blank" rel="noopener" class="attached-picture" title={name}>
        <img src={href} alt={name} loading="lazy" decoding="async" />
      </a>
    );
  }
  return (
    <a href={href} target="_blank" rel="noopener" class="attached" download={file.filename || true}>
      <Icon name="file" /><span dir="auto">{name}</span>
      {file.sizeBytes > 0 && <small>{sizeText(file.sizeBytes)}</small>}
    </a>
  );
}

