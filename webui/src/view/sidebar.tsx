import { useRef, useState } from 'preact/hooks';
import type { SessionInfo } from '../api/types';
import { clearOutbox } from '../session/outbox';
import { account, signOut } from '../state/account';
import { hrefOf, select, selected } from '../state/route';
import * as list from '../state/session_list';
import { openSettings, settingsTabs } from '../state/settings';
import { ConfirmDialog } from './confirm_dialog';
import { Icon, Mark } from './icon';
import { attempt } from './notices';

export function Sidebar({ onPick }: { onPick: () => void }) {
  const [renaming, setRenaming] = useState<string | null>(null);
  const [deleting, setDeleting] = useState<SessionInfo | null>(null);
  const pick = (id: string | null) => {
    select(id);
    onPick();
  };
  return (
    <aside class="sidebar" id="sidebar" aria-label="Chats">
      <div class="brand"><Mark /><span>SomaAgent<b>01</b></span></div>
      <button type="button" class="new-chat" onClick={() => pick(null)}
        aria-current={selected.value === null ? 'page' : undefined}>
        <Icon name="plus" /><span>New chat</span>
      </button>
      <nav aria-label="Chats" class="chats">
        {grouped(list.sessions.value).map(({ name, sessions }) => (
          <section key={name}>
            <h2>{name}</h2>
            <ul>
              {sessions.map((session) => (
                <li key={session.session_id}>
                  {renaming === session.session_id ? (
                    <RenameField session={session} onDone={() => setRenaming(null)} />
                  ) : (
                    <Row session={session} onPick={() => pick(session.session_id)}
                      onRename={() => setRenaming(session.session_id)}
                      onDelete={() => setDeleting(session)} />
                  )}
                </li>
              ))}
            </ul>
          </section>
        ))}
        {list.loaded.value && list.sessions.value.length === 0 && (
          <p class="no-chats">Your chats will be listed here.</p>
        )}
        {list.nextCursor.value !== null && (
          <button type="button" class="quiet small more" onClick={() => attempt(list.readMore)}>
            Show older chats
          </button>
        )}
      </nav>
      <Foot />
      {deleting && (
        <ConfirmDialog question="Delete this chat?" yes="Delete" no="Keep it"
          onNo={() => setDeleting(null)}
          onYes={() => {
            const id = deleting.session_id;
            setDeleting(null);
            void attempt(async () => {
              await list.remove(id);
              if (selected.value === id) select(null);
            });
          }}>
          “{nameOf(deleting)}” and all that was said in it will be gone for good.
        </ConfirmDialog>
      )}
    </aside>
  );
}

interface RowProps {
  session: SessionInfo;
  onPick: () => void;
  onRename: () => void;
  onDelete: () => void;
}

function Row({ session, onPick, onRename, onDelete }: RowProps) {
  const isCurrent = selected.value === session.session_id;
  const name = nameOf(session);
  return (
    <div class="row" data-current={isCurrent}>
      <a href={hrefOf(session.session_id)} aria-current={isCurrent ? 'page' : undefined}
        title={name}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          onPick();
        }}>
        {name}
        {session.busy && <i class="busy" role="img" aria-label="The agent is at work" />}
      </a>
      <button type="button" class="quiet" onClick={onRename} title="Rename"
        aria-label={`Rename “${name}”`}>
        <Icon name="pencil" />
      </button>
      <button type="button" class="quiet" onClick={onDelete} title="Delete"
        aria-label={`Delete “${name}”`}>
        <Icon name="trash" />
      </button>
    </div>
  );
}

function RenameField({ session, onDone }: { session: SessionInfo; onDone: () => void }) {
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
      <input value={title} aria-label="Name of the chat" maxLength={200}
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

function Foot() {
  const who = account.value;
  if (typeof who !== 'object') return null;
  return (
    <div class="side-foot">
      <span class="who" title={`${who.user_id} in ${who.tenant_id}`}>{who.user_id}</span>
      {settingsTabs.value.length > 0 && (
        <button type="button" class="quiet" onClick={() => openSettings()} aria-label="Settings"
          title="Settings" aria-haspopup="dialog">
          <Icon name="sliders" />
        </button>
      )}
      <button type="button" class="quiet" onClick={() => attempt(leave)} aria-label="Sign out"
        title="Sign out">
        <Icon name="leave" />
      </button>
    </div>
  );
}

/** What was written here is not for whoever signs in next. */
async function leave(): Promise<void> {
  await signOut();
  clearOutbox();
  select(null);
}

function nameOf(session: SessionInfo): string {
  return session.title || 'Untitled chat';
}

const dayMs = 86_400_000;

function grouped(sessions: readonly SessionInfo[]) {
  const today = new Date().setHours(0, 0, 0, 0);
  const groups: { name: string; sessions: SessionInfo[] }[] = [];
  for (const session of sessions) {
    const at = Date.parse(list.lastUse(session));
    const name =
      at >= today ? 'Today'
      : at >= today - dayMs ? 'Yesterday'
      : at >= today - 7 * dayMs ? 'The last seven days'
      : 'Earlier';
    const last = groups.at(-1);
    if (last?.name === name) last.sessions.push(session);
    else groups.push({ name, sessions: [session] });
  }
  return groups;
}
