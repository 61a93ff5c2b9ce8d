import { memo } from 'preact/compat';
import { useRef, useState } from 'preact/hooks';
import type { SessionInfo } from '../../kernel/api/types';
import { address, hrefOf, selected } from '../../kernel/route';
import { SessionList } from './session_list';
import { Toasts } from '../../kernel/toasts';
import { Unread } from './unread';
import { usePart, useWorkspace } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { useOffer } from '../../ui/place';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

interface RowProps {
  session: SessionInfo;
  onPick: (id: string) => void;
  onRename: (id: string) => void;
  onDelete: (session: SessionInfo) => void;
}

export const SessionRow = memo(({ session, onPick, onRename, onDelete }: RowProps) => {
  const { place } = address.value;
  // Something else may stand in the chat's stead.
  const isShown = !useOffer().places.some(({ id, pane }) => id === place && pane === 'main');
  const isCurrent = isShown && selected.value === session.session_id;
  const isUnread = usePart(Unread).has(session);
  const isNew = !isCurrent && isUnread;
  const name = nameOf(session);
  const isOthers = isOfAnother(session, useWorkspace().identity.value.user_id);
  return (
    <div class="row" data-current={isCurrent} data-unread={isNew}>
      <a href={hrefOf(session.session_id)} aria-current={isCurrent ? 'page' : undefined}
        title={name} dir="auto"
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          onPick(session.session_id);
        }}>
        {name}
        {isOthers && <span class="of-owner">{texts.ownedBy(session.owner ?? '')}</span>}
        {session.busy && <i class="mark-busy" role="img" aria-label={texts.list.busy} />}
        {isNew && <i class="mark-unread" role="img" aria-label={texts.list.unread} />}
      </a>
      <button type="button" class="quiet" onClick={() => onRename(session.session_id)}
        title={t.rename} aria-label={texts.list.renameThe(name)}>
        <Icon name="pencil" />
      </button>
      <button type="button" class="quiet" onClick={() => onDelete(session)} title={t.delete}
        aria-label={t.deleteThe(name)}>
        <Icon name="trash" />
      </button>
    </div>
  );
});

export function RenameField({ session, onDone }: { session: SessionInfo; onDone: () => void }) {
  const { attempt } = usePart(Toasts);
  const list = usePart(SessionList);
  const [title, setTitle] = useState(session.title);
  const done = useRef(false);
  // Leaving the field saves as Enter does, and either makes it go away, which is leaving it again.
  const finish = (save: boolean) => {
    if (done.current) return;
    done.current = true;
    const words = title.trim();
    if (save && words !== '' && words !== session.title) {
      void attempt(() => list.rename(session.session_id, words));
    }
    onDone();
  };
  return (
    <form class="row renaming" onSubmit={(event) => { event.preventDefault(); finish(true); }}>
      <input value={title} dir="auto" aria-label={texts.list.nameOfChat} maxLength={200}
        ref={(input) => { if (input && document.activeElement !== input) input.select(); }}
        onInput={(event) => setTitle(event.currentTarget.value)} onBlur={() => finish(true)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          finish(false);
        }} />
    </form>
  );
}

export function isOfAnother(session: SessionInfo, me: string): boolean {
  return session.owner !== undefined && session.owner !== me;
}

export function nameOf(session: SessionInfo): string {
  return session.title || t.untitled;
}
