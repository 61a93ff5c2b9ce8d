import { t } from '../../kernel/texts/texts';
import type { Place } from '../../ui/place';

export const keyPlaces: readonly Place[] = [{
  id: 'keys', pane: 'settings', roles: ['admin'], title: () => t.settings.tabs.keys,
  load: async () => (await import('./api_keys_tab')).ApiKeysTab,
}];
