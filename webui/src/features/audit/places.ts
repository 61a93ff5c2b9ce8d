import type { Place } from '../../ui/place';
import { titles } from './titles';

export const auditPlaces: readonly Place[] = [{
  id: 'audit', pane: 'main', roles: ['admin'], title: () => titles.audit,
  sidebar: { icon: 'shield' },
  load: async () => (await import('./audit_view')).AuditView,
}];
