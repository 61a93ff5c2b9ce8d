import type { Place } from '../../ui/place';
import { titles } from './titles';

export const keyPlaces: readonly Place[] = [{
  id: 'keys', pane: 'settings', roles: ['admin'], title: () => titles.keys,
  load: async () => (await import('./api_keys_tab')).ApiKeysTab,
}];
