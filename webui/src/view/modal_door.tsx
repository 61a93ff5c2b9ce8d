import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { modal, type Modal } from '../state/modals';
import { bring } from '../state/page_version';
import { attempt } from '../state/toasts';

type Shown = ComponentType<{ what: Modal; onClose: () => void }>;

/** Brings a dialog's code when it is first asked for: nobody needs it to read a chat. */
export function ModalDoor() {
  const [loaded, setLoaded] = useState<{ kind: Modal['kind']; Shown: Shown } | null>(null);
  const what = modal.value;
  const close = () => (modal.value = null);
  useEffect(() => {
    if (what === null || loaded?.kind === what.kind) return;
    void attempt(async () => {
      try {
        setLoaded({ kind: what.kind, Shown: await bring(() => codeOf(what.kind)) });
      } catch (error) {
        close();
        throw error;
      }
    });
  }, [what, loaded]);
  return what && loaded?.kind === what.kind ? <loaded.Shown what={what} onClose={close} /> : null;
}

async function codeOf(kind: Modal['kind']): Promise<Shown> {
  switch (kind) {
    case 'history': return (await import('./modals/history')).HistoryModal as Shown;
    case 'context': return (await import('./modals/context')).ContextModal as Shown;
    case 'travel': return (await import('./modals/travel')).TravelModal as Shown;
    case 'events': return (await import('./modals/events')).EventsModal as Shown;
    case 'tool': return (await import('./modals/tool')).ToolModal as Shown;
    case 'files': return (await import('./modals/files')).FilesModal as Shown;
    case 'attachments': return (await import('./modals/attachments')).AttachmentsModal as Shown;
    case 'move': return (await import('./modals/move')).MoveModal as Shown;
  }
}
