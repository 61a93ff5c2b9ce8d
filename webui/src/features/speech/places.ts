import type { Place } from '../../ui/place';
import { texts } from './texts';

export const speechPlaces: readonly Place[] = [{
  id: 'speech', pane: 'settings', title: () => texts.title,
  load: async () => (await import('./speech_tab')).SpeechTab,
}];
