import type { Place } from '../../ui/place';
import { titles } from './titles';

export const memoryPlaces: readonly Place[] = [{
  id: 'memory', pane: 'main', title: () => titles.memory,
  sidebar: { icon: 'memory' },
  command: {
    name: 'memory', at: 75, hint: () => titles.command, takesWords: true,
    params: (words) => (words === '' ? {} : { q: words }),
  },
  load: async () => (await import('./memory_view')).MemoryView,
}];
