import { count, words } from '../../kernel/texts/language';

/** Of the files of a message. */
export const texts = words({
  titles: {
    attachments: 'Attachments',
    files: 'Files',
  },

  attach: 'Attach files',
  choose: 'Choose files',
  drop: 'Drop files here to attach them',
  attached: 'Attached files',
  toSend: 'Files to send',
  aFile: 'A file',
  file: (id: string) => `File ${id}`,
  pasted: 'Pasted file',
  nothingKept: 'The server kept nothing of this file.',
  quarantined: 'The scanner holds this file for harmful.',
  tooMany: (most: number) => `A message takes at most ${count(most, 'file', 'files')}.`,
  progress: (name: string) => `${name}: sent so far`,
  cancel: (name: string) => `Cancel “${name}”`,
  remove: (name: string) => `Remove “${name}”`,
  retry: (name: string) => `Send “${name}” again`,
});
