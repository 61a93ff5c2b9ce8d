import type { Place } from '../../ui/place';
import { titles } from './titles';

export const logPlaces: readonly Place[] = [
  {
    id: 'history', pane: 'dialog', needs: 'chat', title: () => titles.history,
    chatMenu: { at: 10, icon: 'book' },
    command: { name: 'history', at: 50, hint: () => titles.commands.history },
    load: async () => (await import('./history')).HistoryModal,
  },
  {
    id: 'context', pane: 'dialog', needs: 'chat', title: () => titles.context,
    chatMenu: { at: 20, icon: 'layers' },
    command: { name: 'context', at: 60, hint: () => titles.commands.context },
    load: async () => (await import('./context')).ContextModal,
  },
  {
    id: 'travel', pane: 'dialog', needs: 'chat', title: () => titles.travel,
    chatMenu: { at: 30, icon: 'clock' },
    command: { name: 'travel', at: 70, hint: () => titles.commands.travel },
    load: async () => (await import('./travel')).TravelModal,
  },
  {
    id: 'events', pane: 'dialog', needs: 'chat', title: () => titles.events,
    turnMenu: {
      icon: 'code',
      params: ({ id, beforeId, lastId }) => ({ turn: id, ...(beforeId === null ? {} : { before: beforeId }), last: lastId }),
    },
    load: async () => (await import('./events')).EventsModal,
  },
];
