import type { Place } from '../../ui/place';
import { titles } from './titles';

export const appearancePlaces: readonly Place[] = [{
  id: 'appearance', pane: 'settings', title: () => titles.appearance,
  load: async () => (await import('./appearance_tab')).AppearanceTab,
}];
