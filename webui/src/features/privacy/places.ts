import type { Place } from '../../ui/place';
import { titles } from './titles';

export const privacyPlaces: readonly Place[] = [{
  id: 'privacy', pane: 'settings', roles: ['admin'], title: () => titles.privacy,
  load: async () => (await import('./privacy_tab')).PrivacyTab,
}];
