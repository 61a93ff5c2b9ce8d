import type { Uploads } from './attach';

/** What an element needs to take files that are dropped on it, for the next message of `chat`. */
export function dropZone(uploads: Uploads, chat: string, isOver: boolean, setOver: (over: boolean) => void) {
  const hasFiles = (event: DragEvent) =>
    uploads.max > 0 && (event.dataTransfer?.types.includes('Files') ?? false);
  return {
    onDragOver: (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (!isOver) setOver(true);
    },
    onDragLeave: (event: DragEvent) => {
      const box = event.currentTarget as Node;
      if (!box.contains(event.relatedTarget as Node | null)) setOver(false);
    },
    onDrop: (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      uploads.attach(chat, event.dataTransfer?.files ?? []);
    },
  };
}
