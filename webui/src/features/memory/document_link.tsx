import { attachmentUrl } from '../files/attachment_url';
import { Icon } from '../../ui/icon';
import { texts } from './turn_texts';

interface Props {
  attachmentId: string;
  /** As the document is called; '' where that is not known. */
  file: string;
}

/** The document a passage is from: downloads it. */
export function DocumentLink({ attachmentId, file }: Props) {
  return (
    <a class="memory-source" href={attachmentUrl(attachmentId)} target="_blank" rel="noopener" download={file || true}
      title={texts.documentHint}>
      <Icon name="file" /><span dir="auto">{file || texts.document}</span>
    </a>
  );
}
