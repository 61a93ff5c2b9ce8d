import type { Place } from '../../ui/place';
import { ToolOffers } from './tool_offers';
import { titles } from './titles';

export const toolPlaces: readonly Place[] = [
  {
    id: 'tool', pane: 'dialog', needs: 'chat', title: () => titles.tool,
    chatMenu: { at: 40, icon: 'tool' },
    command: {
      name: 'tool', at: 30, hint: () => titles.command,
      choices: (workspace) => workspace.of(ToolOffers).names.value,
      params: (words) => (words === '' ? {} : { tool: words }),
    },
    load: async () => (await import('./tool')).ToolModal,
  },
  {
    id: 'tools', pane: 'settings', roles: ['admin'], title: () => titles.tools,
    load: async () => (await import('./tools_tab')).ToolsTab,
  },
];
