import { useRef, useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { exportMarkdown, exportNdjson, importNdjson } from './exports';
import type { PlaceProps } from '../../ui/place';
import { select } from '../../kernel/route';
import { Toasts } from '../../kernel/toasts';
import { usePart, useWorkspace } from '../../ui/use_part';
import { SessionList } from './session_list';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { Dialog } from '../../ui/dialog';
import { texts } from './texts';

/** Takes chats out as files, and in again. */
export function MoveModal({ sessionId, onClose }: PlaceProps) {
  const workspace = useWorkspace();
  const { say } = usePart(Toasts);
  const list = usePart(SessionList);
  const file = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem('');
    try {
      await work();
    } catch (error) {
      setProblem(sentence(error));
    }
    setBusy(false);
  };

  const take = (chosen: File | undefined) => chosen && run(async () => {
    const made = await importNdjson(chosen);
    say(made.created ? texts.move.imported(made.events) : texts.move.importedBefore);
    if (!workspace.ended.aborted) select(made.session_id);
  });

  return (
    <Dialog title={texts.moveTitle} onClose={onClose}>
      <Problem text={problem} />
      {sessionId !== null && (
        <section>
          <h3>{texts.move.out}</h3>
          <p class="settings-hint">{texts.move.outHint}</p>
          <div class="row-of-buttons">
            <button type="button" disabled={busy} onClick={() => run(() => exportNdjson(sessionId, list.titleOf(sessionId)))}>
              <Icon name="download" /><span>{texts.move.ndjson}</span>
            </button>
            <button type="button" disabled={busy} onClick={() => run(() => exportMarkdown(sessionId, list.titleOf(sessionId)))}>
              <Icon name="download" /><span>{texts.move.markdown}</span>
            </button>
          </div>
        </section>
      )}
      <section>
        <h3>{texts.move.in}</h3>
        <p class="settings-hint">{texts.move.inHint}</p>
        <input ref={file} type="file" accept=".ndjson,application/x-ndjson" hidden
          aria-label={texts.move.choose} onChange={(event) => void take(event.currentTarget.files?.[0])} />
        <button type="button" disabled={busy} onClick={() => file.current?.click()}>
          <Icon name="upload" /><span>{busy ? texts.move.busy : texts.move.choose}</span>
        </button>
      </section>
    </Dialog>
  );
}
