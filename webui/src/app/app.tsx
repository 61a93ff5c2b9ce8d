import { useEffect, useMemo, useState } from 'preact/hooks';
import { account, unreachable, workspace } from '../kernel/account';
import { CurrentChat } from '../features/chat/current';
import { Chat } from '../features/chat/chat';
import { ConnectionChip } from '../ui/connection_chip';
import { Mark } from '../ui/icon';
import { offer } from './places';
import { Sidebar } from './sidebar';
import { useOpenPlace } from './use_open_place';
import { TextHome } from '../ui/markdown/markdown';
import { usePart, WorkspaceContext } from '../ui/use_part';
import { SignIn, SignInAgain } from '../features/account/sign_in';
import { OfferContext } from '../ui/place';
import { ToastList } from '../ui/toast_list';
import './shell.css';

export function App() {
  const own = workspace.value;
  if (account.value === 'unknown') return <Opening />;
  if (own === null) return <SignIn />;
  return (
    <WorkspaceContext.Provider key={own.id} value={own}>
      <OfferContext.Provider value={offer}>
        <Shell />
      </OfferContext.Provider>
      {!own.isLive.value && <SignInAgain />}
    </WorkspaceContext.Provider>
  );
}

function Opening() {
  return (
    <main class="opening" aria-busy="true">
      <Mark />
      {unreachable.value && <ConnectionChip state={{ is: 'reconnecting', at: 0 }} />}
    </main>
  );
}

/** On a narrow screen the sidebar is a drawer over the chat. */
export function Shell() {
  const shown = usePart(CurrentChat).store.value?.id ?? null;
  const home = useMemo(() => ({ sessionId: shown }), [shown]);
  const opened = useOpenPlace();
  const pane = opened?.place.pane;
  const [menuOpen, setMenuOpen] = useState(false);
  useEffect(() => {
    if (!menuOpen) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') setMenuOpen(false);
    };
    const wide = matchMedia('(min-width: 820px)');
    const onWide = () => setMenuOpen(false);
    document.querySelector<HTMLElement>('.new-chat')?.focus();
    window.addEventListener('keydown', onKey);
    wide.addEventListener('change', onWide);
    return () => {
      window.removeEventListener('keydown', onKey);
      wide.removeEventListener('change', onWide);
      document.querySelector<HTMLElement>('.menu-button')?.focus();
    };
  }, [menuOpen]);
  return (
    <TextHome.Provider value={home}>
      <div class="shell" data-menu={menuOpen ? 'open' : 'closed'} data-pane={pane}>
        <Sidebar onPick={() => setMenuOpen(false)} />
        <div class="scrim" onClick={() => setMenuOpen(false)} />
        {pane === 'main' ? <main class="main-pane" inert={menuOpen}>{opened?.view}</main>
          : <Chat onMenu={() => setMenuOpen(!menuOpen)} menuOpen={menuOpen} />}
        {pane === 'side' && <aside class="side-pane" aria-label={opened?.place.title()}>{opened?.view}</aside>}
        {(pane === 'dialog' || pane === 'settings') && opened?.view}
        <ToastList />
      </div>
    </TextHome.Provider>
  );
}
