import { t } from '../../kernel/texts/texts';
import type { Place } from '../../ui/place';
import { ToolOffers } from './tool_offers';

export const toolPlaces: readonly Place[] = [
  {
    id: 'tool', pane: 'dialog', needs: 'chat', title: () => t.menu.tool,
    chatMenu: { at: 40, icon: 'tool' },
    command: {
      name: 'tool', at: 30, hint: () => t.commands.tool,
      choices: (workspace) => workspace.of(ToolOffers).names.value,
      params: (words) => (words === '' ? {} : { tool: words }),
    },
    load: async () => (await import('./tool')).ToolModal,
  },
  {
    id: 'tools', pane: 'settings', roles: ['admin'], title: () => t.settings.tabs.tools,
    load: async () => (await import('./tools_tab')).ToolsTab,
  },
];
