import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { bring } from '../kernel/page_version';
import { Toasts } from '../kernel/toasts';
import { usePart } from '../ui/use_part';
import { settingsWish, type SettingsWish } from '../kernel/settings';

type Dialog = ComponentType<{ wish: SettingsWish; onClose: () => void }>;

/** Brings the settings when they are first asked for: nobody needs them to read a chat. */
export function SettingsDoor() {
  const [loaded, setLoaded] = useState<{ Dialog: Dialog } | null>(null);
  const { attempt } = usePart(Toasts);
  const wish = settingsWish.value;
  const close = () => (settingsWish.value = null);
  useEffect(() => {
    if (wish === null || loaded) return;
    void attempt(async () => {
      try {
        const { SettingsDialog } = await bring(() => import('./settings_dialog'));
        setLoaded({ Dialog: SettingsDialog });
      } catch (error) {
        close();
        throw error;
      }
    });
  }, [wish, loaded]);
  return wish !== null && loaded ? <loaded.Dialog wish={wish} onClose={close} /> : null;
}
