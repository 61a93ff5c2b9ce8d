import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../ui/icon';
import type { LeaveGuard } from '../ui/leave_guard';
import type { Place } from '../ui/place';
import { texts } from './texts';
import { t } from '../kernel/texts/texts';
import '../ui/styles/forms.css';
import '../ui/styles/cards.css';
import './settings_dialog.css';

interface Props {
  panes: readonly Place[];
  shown: string;
  guard: LeaveGuard;
  onShow: (id: string) => void;
  onClose: () => void;
  children: ComponentChildren;
}

export function SettingsDialog({ panes, shown, guard, onShow, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const own = dialog.current;
    own?.showModal();
    // By a step back it goes without having been closed.
    return () => own?.close();
  }, []);

  const leave = (how: 'escape' | 'close' | 'aside', go = () => dialog.current?.close()) => {
    if (!guard.current?.(how, go)) go();
  };
  const show = (id: string) => id !== shown && leave('aside', () => onShow(id));

  return (
    <dialog ref={dialog} class="settings" onClose={onClose} aria-labelledby="settings-title"
      onCancel={(event) => { event.preventDefault(); leave('escape'); }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        // The drawer behind listens, too; and a browser lets only the first Escape be refused.
        event.preventDefault();
        event.stopPropagation();
        leave('escape');
      }}>
      <header class="settings-head">
        <h2 id="settings-title">{texts.settings.title}</h2>
        <button type="button" class="quiet" onClick={() => leave('close')}
          aria-label={texts.settings.close} title={t.close}>
          <Icon name="close" />
        </button>
      </header>
      <TabList panes={panes} shown={shown} onShow={show} />
      <div class="settings-panel" role="tabpanel" id={`settings-${shown}`} tabIndex={0}
        aria-labelledby={`settings-tab-${shown}`}>
        {children}
      </div>
    </dialog>
  );
}

interface TabListProps {
  panes: readonly Place[];
  shown: string;
  onShow: (id: string) => void;
}

function TabList({ panes, shown, onShow }: TabListProps) {
  const step = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const at = panes.findIndex((pane) => pane.id === shown);
    const next = panes[(at + by + panes.length) % panes.length];
    if (!next) return;
    onShow(next.id);
    document.getElementById(`settings-tab-${next.id}`)?.focus();
  };
  return (
    <div class="settings-tabs" role="tablist" aria-label={texts.settings.title} onKeyDown={step}>
      {panes.map((pane) => (
        <button key={pane.id} type="button" role="tab" id={`settings-tab-${pane.id}`} class="quiet"
          aria-selected={pane.id === shown} aria-controls={`settings-${pane.id}`}
          tabIndex={pane.id === shown ? 0 : -1} onClick={() => onShow(pane.id)}>
          {pane.title()}
        </button>
      ))}
    </div>
  );
}
