import { t } from '../../kernel/texts/texts';
import type { Place } from '../../ui/place';

export const logPlaces: readonly Place[] = [
  {
    id: 'history', pane: 'dialog', needs: 'chat', title: () => t.menu.history,
    chatMenu: { at: 10, icon: 'book' },
    command: { name: 'history', at: 50, hint: () => t.commands.history },
    load: async () => (await import('./history')).HistoryModal,
  },
  {
    id: 'context', pane: 'dialog', needs: 'chat', title: () => t.menu.context,
    chatMenu: { at: 20, icon: 'layers' },
    command: { name: 'context', at: 60, hint: () => t.commands.context },
    load: async () => (await import('./context')).ContextModal,
  },
  {
    id: 'travel', pane: 'dialog', needs: 'chat', title: () => t.menu.travel,
    chatMenu: { at: 30, icon: 'clock' },
    command: { name: 'travel', at: 70, hint: () => t.commands.travel },
    load: async () => (await import('./travel')).TravelModal,
  },
  {
    id: 'events', pane: 'dialog', needs: 'chat', title: () => t.turn.events,
    turnMenu: {
      icon: 'code',
      params: ({ id, beforeId, lastId }) => ({ turn: id, ...(beforeId === null ? {} : { before: beforeId }), last: lastId }),
    },
    load: async () => (await import('./events')).EventsModal,
  },
];
