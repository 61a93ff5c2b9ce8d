import { t } from '../../kernel/texts/texts';
import type { Place } from '../../ui/place';

export const speechPlaces: readonly Place[] = [{
  id: 'speech', pane: 'settings', title: () => t.settings.tabs.speech,
  load: async () => (await import('./speech_tab')).SpeechTab,
}];
