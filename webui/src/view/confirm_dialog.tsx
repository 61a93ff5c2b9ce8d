import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface Props {
  question: string;
  children: ComponentChildren;
  /** What the button says that does it, and the one that does not. */
  yes: string;
  no: string;
  onNo: () => void;
  onYes: () => void;
}

/** Asks before something is lost. */
export function ConfirmDialog({ question, children, yes, no, onNo, onYes }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="confirm" onClose={onNo} aria-labelledby={id}
      onKeyDown={(event) => event.key === 'Escape' && event.stopPropagation()}>
      <h2 id={id}>{question}</h2>
      <p>{children}</p>
      <div class="dialog-foot">
        <button type="button" onClick={() => dialog.current?.close()}>{no}</button>
        <button type="button" class="danger" onClick={onYes}>{yes}</button>
      </div>
    </dialog>
  );
}
