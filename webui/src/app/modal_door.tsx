import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { modal, type Modal } from '../kernel/modals';
import { bring } from '../kernel/page_version';
import { Toasts } from '../kernel/toasts';
import { usePart } from '../ui/use_part';

type Shown = ComponentType<{ what: Modal; onClose: () => void }>;

/** Brings a dialog's code when it is first asked for: nobody needs it to read a chat. */
export function ModalDoor() {
  const [loaded, setLoaded] = useState<{ kind: Modal['kind']; Shown: Shown } | null>(null);
  const { attempt } = usePart(Toasts);
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
    case 'history': return (await import('../features/log/history')).HistoryModal as Shown;
    case 'context': return (await import('../features/log/context')).ContextModal as Shown;
    case 'travel': return (await import('../features/log/travel')).TravelModal as Shown;
    case 'events': return (await import('../features/log/events')).EventsModal as Shown;
    case 'tool': return (await import('../features/tools/tool')).ToolModal as Shown;
    case 'files': return (await import('../features/files/files')).FilesModal as Shown;
    case 'attachments': return (await import('../features/files/attachments')).AttachmentsModal as Shown;
    case 'move': return (await import('../features/sessions/move')).MoveModal as Shown;
  }
}
