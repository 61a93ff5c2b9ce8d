import { t } from '../../kernel/texts/texts';
import type { Place } from '../../ui/place';

export const appearancePlaces: readonly Place[] = [{
  id: 'appearance', pane: 'settings', title: () => t.settings.tabs.appearance,
  load: async () => (await import('./appearance_tab')).AppearanceTab,
}];
