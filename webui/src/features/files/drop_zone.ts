import './drop_zone.css';

export interface FileTaker {
  /** Whether files are taken at the moment. */
  readonly isOpen: () => boolean;
  readonly take: (files: File[]) => void;
}

/** What an element needs to take files that are dropped on it. `.drop-here` within it says so while they are over it. */
export function dropZone({ isOpen, take }: FileTaker, isOver: boolean, setOver: (over: boolean) => void) {
  const hasFiles = (event: DragEvent) => isOpen() && (event.dataTransfer?.types.includes('Files') ?? false);
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
      take([...(event.dataTransfer?.files ?? [])]);
    },
  };
}
