import { useEffect, useRef } from 'preact/hooks';

interface Props {
  title: string;
  onCancel: () => void;
  onDelete: () => void;
}

export function DeleteDialog({ title, onCancel, onDelete }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onCancel} aria-labelledby="delete-title">
      <h2 id="delete-title">Delete this chat?</h2>
      <p>“{title}” and all that was said in it will be gone for good.</p>
      <div class="dialog-foot">
        <button type="button" onClick={() => dialog.current?.close()}>Keep it</button>
        <button type="button" class="danger" onClick={onDelete}>Delete</button>
      </div>
    </dialog>
  );
}
