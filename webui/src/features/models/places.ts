import { ServerConfig } from '../../kernel/server_config';
import type { Place } from '../../ui/place';
import { titles } from './titles';

export const modelPlaces: readonly Place[] = [{
  id: 'models', pane: 'settings', roles: ['admin'], title: () => titles.models,
  command: {
    name: 'model', at: 20, hint: () => titles.command,
    choices: (workspace) => workspace.of(ServerConfig).now.profiles ?? [],
    params: (words) => (words === '' ? {} : { profile: words }),
    refused: () => titles.notYours,
  },
  load: async () => (await import('./models_tab')).ModelsTab,
}];
