import { useEffect, useRef, useState } from 'preact/hooks';
import { request } from '../kernel/api/http';
import type { Identity } from '../kernel/api/types';
import { clearUploads } from '../features/files/attach';
import { clearOutbox } from '../kernel/outbox';
import { account, runtimeConfig, signOut } from '../kernel/account';
import { finishDeletes } from '../features/sessions/delete_session';
import { clearDrafts } from '../kernel/drafts';
import { select, selected } from '../kernel/route';
import { search, searchWords } from '../features/sessions/session_search';
import { openSettings } from '../kernel/settings';
import { attempt } from '../kernel/toasts';
import { t } from '../kernel/texts/texts';
import { ConfirmDialog } from '../ui/confirm_dialog';
import { Icon, Mark } from '../ui/icon';
import { SessionRows } from '../features/sessions/session_rows';

export function Sidebar({ onPick }: { onPick: () => void }) {
  const pick = (id: string | null) => {
    select(id);
    onPick();
  };
  return (
    <aside class="sidebar" id="sidebar" aria-label={t.list.chats}>
      <div class="brand"><Mark /><span>SomaAgent<b>01</b></span></div>
      <button type="button" class="new-chat" title={t.list.newKeys} onClick={() => pick(null)}
        aria-current={selected.value === null ? 'page' : undefined}>
        <Icon name="plus" /><span>{t.newChat}</span>
      </button>
      <Search />
      <SessionRows onPick={pick} />
      <Foot />
    </aside>
  );
}

function Search() {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || document.querySelector('dialog[open]')) return;
      const isNew = event.shiftKey && event.key.toLowerCase() === 'o';
      if (!isNew && event.key !== 'k') return;
      event.preventDefault();
      if (isNew) select(null);
      else input.current?.select();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
  return (
    <div class="search" role="search">
      <Icon name="search" />
      <input ref={input} type="search" dir="auto" value={searchWords.value} placeholder={t.list.search}
        aria-label={t.list.search} title={t.list.searchKeys} maxLength={200} autocomplete="off"
        onInput={(event) => search(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') {
            event.preventDefault();
            document.querySelector<HTMLElement>('.chats .row a')?.focus();
          }
          if (event.key !== 'Escape' || searchWords.value === '') return;
          event.stopPropagation();
          search('');
        }} />
    </div>
  );
}

function Foot() {
  const [asking, setAsking] = useState(false);
  const who = account.value;
  if (typeof who !== 'object') return null;
  const askFirst = async () => {
    if (await hasKey(who)) return leave();
    setAsking(true);
  };
  return (
    <div class="side-foot">
      {asking && (
        <ConfirmDialog question={t.signOutAsked.question} yes={t.signOut} no={t.cancel}
          onNo={() => setAsking(false)} onYes={() => { setAsking(false); void attempt(leave); }}>
          {t.signOutAsked.text}
        </ConfirmDialog>
      )}
      <span class="who" title={t.whoIn(who.user_id, who.tenant_id)}>{who.user_id}</span>
      <button type="button" class="quiet" onClick={() => openSettings()} aria-label={t.settings.title}
        title={t.settings.title} aria-haspopup="dialog">
        <Icon name="sliders" />
      </button>
      <button type="button" class="quiet" onClick={() => attempt(askFirst)} aria-label={t.signOut}
        title={t.signOut}>
        <Icon name="leave" />
      </button>
    </div>
  );
}

/** Whether there is a key to sign in with again; who cannot ask is here by one. */
async function hasKey(who: Identity): Promise<boolean> {
  if (who.role !== 'admin' || runtimeConfig.peek().flags?.admin_key !== false) return true;
  const { keys } = await request<{ keys: readonly unknown[] }>('keys');
  return keys.length > 0;
}

/** What was written here is not for whoever signs in next. */
async function leave(): Promise<void> {
  await finishDeletes();
  await signOut();
  clearOutbox();
  clearDrafts();
  clearUploads();
  search('');
  select(null);
}
