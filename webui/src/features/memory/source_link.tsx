import { hrefOf, selectAt } from '../../kernel/route';
import { SessionList } from '../sessions/session_list';
import { usePart } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { texts } from './turn_texts';

interface Props {
  sessionId: string;
  /** A message or a tool call of it; '' where it is not known. */
  messageId: string;
  /** What it says where it is not known what the chat is called. */
  unknown?: string;
}

/** Where a memory is from: opens the chat at that message. */
export function SourceLink({ sessionId, messageId, unknown = texts.source('') }: Props) {
  const title = usePart(SessionList).titleOf(sessionId);
  const message = messageId === '' ? undefined : messageId;
  return (
    <a class="memory-source" href={hrefOf(sessionId, null, {}, message)} title={message === undefined ? texts.chatHint : texts.sourceHint}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        selectAt(sessionId, message);
      }}>
      <span dir="auto">{title === '' ? unknown : texts.source(title)}</span><Icon name="chevron" />
    </a>
  );
}
