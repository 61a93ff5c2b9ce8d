import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useId, useRef } from 'preact/hooks';

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
  useLayoutEffect(() => dialog.current?.showModal(), []);
  // Not left to the `close` event: that comes a task later, when the next key may have asked again.
  const refuse = () => {
    dialog.current?.close();
    onNo();
  };
  // Closed before it is taken away, so that the focus goes back to where it came from.
  const agree = () => {
    dialog.current?.close();
    onYes();
  };
  return (
    <dialog ref={dialog} class="confirm" aria-labelledby={id}
      onCancel={(event) => { event.preventDefault(); refuse(); }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        refuse();
      }}>
      <h2 id={id}>{question}</h2>
      <p>{children}</p>
      <div class="dialog-foot">
        <button type="button" onClick={refuse}>{no}</button>
        <button type="button" class="danger" onClick={agree}>{yes}</button>
      </div>
    </dialog>
  );
}
