import { t } from '../../kernel/texts/texts';
import type { Place } from '../../ui/place';

export const aboutPlaces: readonly Place[] = [{
  id: 'about', pane: 'settings', title: () => t.settings.tabs.about,
  load: async () => (await import('./about_tab')).AboutTab,
}];
