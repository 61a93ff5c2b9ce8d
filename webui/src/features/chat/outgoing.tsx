import { Outbox, type Outgoing } from '../../kernel/outbox';
import { usePart } from '../../ui/use_part';
import { CopyButton } from '../../ui/copy_button';
import { Icon } from '../../ui/icon';
import { UserBubble } from './user_bubble';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

export function OutgoingView({ entry, queued }: { entry: Outgoing; queued: boolean }) {
  const outbox = usePart(Outbox);
  return (
    <article class="turn" data-outgoing={entry.phase}>
      <UserBubble text={entry.text} files={entry.attachments ?? []} note={told(entry, queued)}
        look={entry.phase === 'refused' ? 'refused' : 'pending'} />
      {entry.phase === 'refused' && (
        <div class="card failure" role="alert">
          <Icon name="alert" />
          <div>
            <p><strong>{texts.outgoing.notSent}</strong> {entry.problem}</p>
            <p class="failure-foot">
              <button type="button" class="quiet small" onClick={() => outbox.sendAgain(entry.key)}>
                <Icon name="retry" /><span>{t.tryAgain}</span>
              </button>
              <button type="button" class="quiet small" onClick={() => outbox.discard(entry.key)}>
                <Icon name="trash" /><span>{t.discard}</span>
              </button>
              {entry.requestId && (
                <CopyButton label={t.copyRequestId} text={() => entry.requestId} />
              )}
            </p>
          </div>
        </div>
      )}
    </article>
  );
}

function told(entry: Outgoing, queued: boolean): string {
  if (entry.phase === 'refused') return '';
  if (entry.unkept && entry.phase === 'waiting') return texts.outgoing.unkept;
  if (entry.phase === 'waiting') return texts.outgoing.waiting;
  if (entry.phase === 'sending') return texts.outgoing.sending;
  return queued ? texts.chat.queued : texts.outgoing.sent;
}
