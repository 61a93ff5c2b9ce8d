import { select } from '../../kernel/route';
import { Toasts } from '../../kernel/toasts';
import type { Action, Place } from '../../ui/place';
import { exportMarkdown, exportNdjson } from './exports';
import { SessionList } from './session_list';
import { texts } from './texts';

export const sessionPlaces: readonly Place[] = [{
  id: 'share', pane: 'dialog', title: () => texts.shareTitle, needs: 'chat',
  chatMenu: { at: 65, icon: 'people' },
  load: async () => (await import('./share')).ShareModal,
}, {
  id: 'move', pane: 'dialog', title: () => texts.moveTitle,
  chatMenu: { at: 70, icon: 'swap' },
  load: async () => (await import('./move')).MoveModal,
}];

export const sessionActions: readonly Action[] = [
  {
    name: 'export', at: 10, hint: () => texts.commands.export, needs: 'chat', choices: () => ['markdown', 'ndjson'],
    run: (workspace, id, words) => {
      const take = words.startsWith('m') ? exportMarkdown : exportNdjson;
      void workspace.of(Toasts).attempt(() => take(id, workspace.of(SessionList).titleOf(id)));
    },
  },
  {
    name: 'rename', at: 40, hint: () => texts.commands.rename, needs: 'chat', takesWords: true,
    run: (workspace, id, words) => {
      if (words === '') return;
      void workspace.of(Toasts).attempt(() => workspace.of(SessionList).rename(id, words.slice(0, 200)));
    },
  },
  { name: 'new', at: 80, hint: () => texts.commands.new, run: () => select(null) },
];
