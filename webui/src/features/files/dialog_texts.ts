import { words } from '../../kernel/texts/language';

/** Of the dialogs of files. */
export const dialogTexts = words({
  attached: {
    none: 'No message of this chat has a file, and no tool left one.',
    fromMessage: (words: string) => `With “${words}”`,
    fromTool: (tool: string) => tool === '' ? 'Left by a tool' : `Left by ${tool}`,
    look: 'Look inside',
    onlyBeginning: 'Only the beginning is shown.',
    question: 'Delete this file?',
    warning: 'It will be gone for good, also where messages name it.',
    states: {
      clean: 'ready', 'attachment.pending': 'being scanned', 'attachment.quarantined': 'held for harmful',
      'attachment.expired': 'deleted', 'attachment.not_found': 'not here any more',
    } as Readonly<Record<string, string>>,
  },

  work: {
    changedQuestion: 'Write over the file?',
    changedText: 'It was changed or deleted since you opened it, perhaps by a tool.',
    writeOver: 'Write over it',
    whose: 'Whose files',
    own: 'This chat',
    shared: 'All chats',
    where: 'Folder',
    top: 'Files',
    upload: 'Upload',
    uploading: 'Uploading',
    newFile: 'New file',
    newFolder: 'New folder',
    name: 'Name',
    moveTo: 'New path',
    empty: 'Nothing is here yet.',
    notAll: 'There is more than can be listed.',
    used: (used: string, most: string) => `${used} of ${most} used.`,
    download: (name: string) => `Download “${name}”`,
    move: (name: string) => `Move or rename “${name}”`,
    removeQuestion: 'Delete this?',
    removeText: (path: string) => `“${path}” will be gone for good.`,
    back: 'Back to the folder',
    saved: 'Saved.',
    onlyBeginning: 'This file is long: only its beginning is shown, and it cannot be changed here.',
    noText: 'This file is no text, and cannot be changed here.',
  },
});
