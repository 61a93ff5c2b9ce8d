import { ServerConfig } from '../../kernel/server_config';
import { t } from '../../kernel/texts/texts';
import type { Place } from '../../ui/place';

export const modelPlaces: readonly Place[] = [{
  id: 'models', pane: 'settings', roles: ['admin'], title: () => t.settings.tabs.models,
  command: {
    name: 'model', at: 20, hint: () => t.commands.model,
    choices: (workspace) => workspace.of(ServerConfig).now.profiles ?? [],
    params: (words) => (words === '' ? {} : { profile: words }),
    refused: () => t.commands.modelNotYours,
  },
  load: async () => (await import('./models_tab')).ModelsTab,
}];
