import type { Workspace } from '../../kernel/workspace';
import type { Place } from '../../ui/place';
import { Uploads } from './attach';
import { texts } from './texts';

/** Where a server takes no files there is nothing to see of them. */
const takesFiles = (workspace: Workspace, hasChat: boolean) => hasChat && workspace.of(Uploads).max > 0;

export const filePlaces: readonly Place[] = [
  {
    id: 'attachments', pane: 'dialog', needs: 'chat', title: () => texts.titles.attachments,
    chatMenu: { at: 50, icon: 'clip', isOffered: takesFiles },
    load: async () => (await import('./attachments')).AttachmentsModal,
  },
  {
    id: 'files', pane: 'dialog', title: () => texts.titles.files,
    chatMenu: { at: 60, icon: 'folder', isOffered: takesFiles },
    load: async () => (await import('./files')).FilesModal,
  },
];
