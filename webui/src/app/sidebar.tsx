import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { request } from '../kernel/api/http';
import type { Identity } from '../kernel/api/types';
import { findProvider, provider, signOut } from '../kernel/account';
import { ServerConfig } from '../kernel/server_config';
import { address, hrefOf, open, select, selected } from '../kernel/route';
import { SessionSearch } from '../features/sessions/session_search';
import { openSettings } from './places';
import { Toasts } from '../kernel/toasts';
import { usePart, useWorkspace } from '../ui/use_part';
import { ConfirmDialog } from '../ui/confirm_dialog';
import { Icon, Mark } from '../ui/icon';
import { isFor, useOffer } from '../ui/place';
import { SessionRows } from '../features/sessions/session_rows';
import { texts } from './texts';
import { texts as sessionsTexts } from '../features/sessions/texts';
import { t } from '../kernel/texts/texts';
import './sidebar.css';

export function Sidebar({ onPick }: { onPick: () => void }) {
  const pick = (id: string | null) => {
    select(id);
    onPick();
  };
  return (
    <aside class="sidebar" id="sidebar" aria-label={sessionsTexts.list.chats}>
      <div class="brand"><Mark /><span>SomaAgent<b>01</b></span></div>
      <button type="button" class="new-chat" title={sessionsTexts.list.newKeys} onClick={() => pick(null)}
        aria-current={selected.value === null && address.value.place === null ? 'page' : undefined}>
        <Icon name="plus" /><span>{t.newChat}</span>
      </button>
      <Places onPick={onPick} />
      <Search />
      <SessionRows onPick={pick} />
      <Foot />
    </aside>
  );
}

/** What stands in a chat's stead, and can be gone to from any. */
function Places({ onPick }: { onPick: () => void }) {
  const { role } = useWorkspace().identity.value;
  const { chat, place } = address.value;
  const places = useOffer().places.filter((one) => isFor(one, role));
  return (
    <>
      {places.map(({ id, title, sidebar }) => sidebar && (
        <a key={id} class="side-place" data-place={id} href={hrefOf(chat, id)}
          aria-current={place === id ? 'page' : undefined}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            open(id);
            onPick();
          }}>
          <Icon name={sidebar.icon} /><span>{title()}</span>
        </a>
      ))}
    </>
  );
}

function Search() {
  const search = usePart(SessionSearch);
  const input = useRef<HTMLInputElement>(null);
  // Before the page is painted: its keys hold as soon as it is seen.
  useLayoutEffect(() => {
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
      <input ref={input} type="search" dir="auto" value={search.words.value} placeholder={sessionsTexts.list.search}
        aria-label={sessionsTexts.list.search} title={sessionsTexts.list.searchKeys} maxLength={200} autocomplete="off"
        onInput={(event) => search.search(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') {
            event.preventDefault();
            document.querySelector<HTMLElement>('.chats .row a')?.focus();
          }
          if (event.key !== 'Escape' || search.words.value === '') return;
          event.stopPropagation();
          search.search('');
        }} />
    </div>
  );
}

function Foot() {
  const [asking, setAsking] = useState(false);
  const { attempt } = usePart(Toasts);
  const config = usePart(ServerConfig);
  const workspace = useWorkspace();
  const who = workspace.identity.value;
  if (!workspace.isLive.value) return null;
  const askFirst = async () => {
    if (await hasKey(who, config)) return signOut();
    setAsking(true);
  };
  return (
    <div class="side-foot">
      {asking && (
        <ConfirmDialog question={texts.signOutAsked.question} yes={t.signOut} no={t.cancel}
          onNo={() => setAsking(false)} onYes={() => { setAsking(false); void attempt(signOut); }}>
          {texts.signOutAsked.text}
        </ConfirmDialog>
      )}
      <span class="who" title={texts.whoIn(who.user_id, who.tenant_id)}>{who.user_id}</span>
      <button type="button" class="quiet" onClick={() => openSettings(workspace)} aria-label={texts.settings.title}
        title={texts.settings.title} aria-haspopup="dialog">
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
async function hasKey(who: Identity, config: ServerConfig): Promise<boolean> {
  if (who.role !== 'admin' || config.now.flags?.admin_key !== false) return true;
  await findProvider();
  if (provider.peek() !== null) return true;
  const { keys } = await request<{ keys: readonly unknown[] }>('keys');
  return keys.length > 0;
}
