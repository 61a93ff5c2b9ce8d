import { useEffect, useState } from 'preact/hooks';
import type { SessionStore } from '../../kernel/session/session_store';
import { activeTurn, type SessionState } from '../../kernel/session/state';
import { open } from '../../kernel/route';
import { isFor, useOffer, type Place } from '../../ui/place';
import { SessionList } from '../sessions/session_list';
import { isOfAnother } from '../sessions/session_row';
import { ServerConfig } from '../../kernel/server_config';
import { Streams } from '../../kernel/streams/streams';
import { Tenant } from '../../kernel/tenant';
import { Toasts } from '../../kernel/toasts';
import { useWorkspace } from '../../ui/use_part';
import type { Workspace } from '../../kernel/workspace';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { ConnectionChip } from '../../ui/connection_chip';
import { Icon } from '../../ui/icon';
import { Menu, type MenuItem } from '../../ui/menu';
import { reset, steer } from './steer';
import { texts } from './texts';
import { texts as sessionsTexts } from '../sessions/texts';
import { t } from '../../kernel/texts/texts';

interface Props {
  store: SessionStore | null;
  state: SessionState;
  onMenu: () => void;
  menuOpen: boolean;
}

export function ChatHeader({ store, state, onMenu, menuOpen }: Props) {
  const [asking, setAsking] = useState(false);
  const workspace = useWorkspace();
  const toasts = workspace.of(Toasts);
  const places = useOffer().places.filter((place) => isFor(place, workspace.identity.value.role));
  const title = store ? workspace.of(SessionList).titleOf(store.id) || state.title || firstWords(state) : t.newChat;
  const session = store ? workspace.of(SessionList).infoOf(store.id) : undefined;
  const isThere = store !== null && !store.gone.value;
  useEffect(() => {
    document.title = store && title ? `${title} · SomaAgent01` : 'SomaAgent01';
  }, [title, store]);
  return (
    <header class="chat-head">
      <button type="button" class="quiet menu-button" onClick={onMenu} aria-label={sessionsTexts.list.show}
        aria-expanded={menuOpen} aria-controls="sidebar">
        <Icon name="menu" />
      </button>
      <h1 title={title} dir="auto">{title || t.untitled}</h1>
      {session && isOfAnother(session, workspace.identity.value.user_id) && (
        <span class="chat-owner">{sessionsTexts.ownedBy(session.owner ?? '')}</span>
      )}
      <ConnectionChip onNow={workspace.of(Streams).reconnectNow} state={isThere ? store.connection.value : workspace.of(Tenant).link.value} degraded={workspace.of(ServerConfig).degraded.value}
        onResume={() => store?.resume()} />
      {isThere && state.turns.length > 0 && (
        <button type="button" class="quiet"
          title={state.paused ? texts.chat.resume : texts.chat.pauseHint}
          aria-label={state.paused ? texts.chat.resumeSession : texts.chat.pauseSession}
          onClick={() => steer(toasts, store, state.paused ? 'resume' : 'pause')}>
          <Icon name={state.paused ? 'play' : 'pause'} />
        </button>
      )}
      {isThere ? (
        <Menu label={texts.menu.chat} items={itemsFor(places, workspace, store, state, () => setAsking(true))} />
      ) : (
        <Menu label={texts.menu.chat} items={placesFor(places, workspace, null)} />
      )}
      {asking && store && (
        <ConfirmDialog question={texts.reset.question} yes={texts.reset.yes} no={texts.reset.no}
          onNo={() => setAsking(false)}
          onYes={() => { setAsking(false); reset(toasts, store); }}>
          {texts.reset.text}
        </ConfirmDialog>
      )}
    </header>
  );
}

function itemsFor(places: readonly Place[], workspace: Workspace, store: SessionStore, state: SessionState, onReset: () => void): MenuItem[] {
  const sessionId = store.id;
  const toasts = workspace.of(Toasts);
  const stands = activeTurn(state) === undefined;
  return [
    ...placesFor(places, workspace, sessionId),
    ...(stands && !state.paused ? [
      { label: texts.menu.nudge, icon: 'play' as const, hint: texts.menu.nudgeHint, run: () => steer(toasts, store, 'nudge') },
      { label: texts.menu.summarize, icon: 'book' as const, run: () => steer(toasts, store, 'summarize') },
    ] : []),
    { label: texts.menu.restart, icon: 'retry', hint: texts.menu.restartHint, run: () => steer(toasts, store, 'restart') },
    { label: texts.menu.reset, icon: 'trash', danger: true, run: onReset },
  ];
}

function placesFor(places: readonly Place[], workspace: Workspace, sessionId: string | null): MenuItem[] {
  const hasChat = sessionId !== null;
  return places
    .flatMap(({ id, needs, title, chatMenu }) => {
      const isThere = chatMenu && (hasChat || needs !== 'chat') && (chatMenu.isOffered?.(workspace, hasChat) ?? true);
      return isThere ? [{ at: chatMenu.at, label: title(), icon: chatMenu.icon, run: () => open(id) }] : [];
    })
    .sort((a, b) => a.at - b.at);
}

function firstWords(state: SessionState): string {
  return state.turns[0]?.user?.text.split('\n')[0]?.slice(0, 80) ?? '';
}
