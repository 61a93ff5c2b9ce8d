import type { Place } from '../../ui/place';
import { titles } from './titles';

export const aboutPlaces: readonly Place[] = [{
  id: 'about', pane: 'settings', title: () => titles.about,
  load: async () => (await import('./about_tab')).AboutTab,
}];
