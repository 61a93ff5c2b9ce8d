import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { settingsTabs, type SettingsTab, type SettingsWish } from '../kernel/settings';
import '../styles/settings.css';
import { t } from '../kernel/texts/texts';
import { Icon } from '../ui/icon';
import type { LeaveGuard } from '../ui/leave_guard';
import { AboutTab } from '../features/about/about_tab';
import { ApiKeysTab } from '../features/keys/api_keys_tab';
import { AppearanceTab } from '../features/appearance/appearance_tab';
import { ModelsTab } from '../features/models/models_tab';
import { SpeechTab } from '../features/speech/speech_tab';
import { ToolsTab } from '../features/tools/tools_tab';

export function SettingsDialog({ wish, onClose }: { wish: SettingsWish; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const guard: LeaveGuard = useRef(null);
  const [shown, setShown] = useState(wish.tab);
  const tabs = settingsTabs.value;
  useLayoutEffect(() => dialog.current?.showModal(), []);

  const leave = (how: 'escape' | 'close' | 'aside', go = () => dialog.current?.close()) => {
    if (!guard.current?.(how, go)) go();
  };
  const show = (id: string) => id !== shown && leave('aside', () => setShown(id));

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
        <h2 id="settings-title">{t.settings.title}</h2>
        <button type="button" class="quiet" onClick={() => leave('close')}
          aria-label={t.settings.close} title={t.close}>
          <Icon name="close" />
        </button>
      </header>
      <TabList tabs={tabs} shown={shown} onShow={show} />
      <div class="settings-panel" role="tabpanel" id={`settings-${shown}`} tabIndex={0}
        aria-labelledby={`settings-tab-${shown}`}>
        {shown === 'models' && <ModelsTab first={wish.profile} guard={guard} />}
        {shown === 'tools' && <ToolsTab guard={guard} />}
        {shown === 'keys' && <ApiKeysTab />}
        {shown === 'appearance' && <AppearanceTab />}
        {shown === 'speech' && <SpeechTab />}
        {shown === 'about' && <AboutTab />}
      </div>
    </dialog>
  );
}

interface TabListProps {
  tabs: readonly SettingsTab[];
  shown: string;
  onShow: (id: string) => void;
}

function TabList({ tabs, shown, onShow }: TabListProps) {
  const step = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.id === shown);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (!next) return;
    onShow(next.id);
    document.getElementById(`settings-tab-${next.id}`)?.focus();
  };
  return (
    <div class="settings-tabs" role="tablist" aria-label={t.settings.title} onKeyDown={step}>
      {tabs.map((tab) => (
        <button key={tab.id} type="button" role="tab" id={`settings-tab-${tab.id}`} class="quiet"
          aria-selected={tab.id === shown} aria-controls={`settings-${tab.id}`}
          tabIndex={tab.id === shown ? 0 : -1} onClick={() => onShow(tab.id)}>
          {tab.name}
        </button>
      ))}
    </div>
  );
}
