import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from './icon';
import type { LeaveGuard } from './leave_guard';
import { t } from '../kernel/texts/texts';
import './styles/forms.css';
import './styles/cards.css';
import './dialog.css';

interface Props {
  title: string;
  onClose: () => void;
  /** How much room it takes: as wide as a text, or all there is. */
  wide?: boolean;
  actions?: ComponentChildren;
  guard?: LeaveGuard;
  children: ComponentChildren;
}

/** A dialog over the chat with a head, a body that scrolls, and where to close it. */
export function Dialog({ title, onClose, wide = false, actions, guard, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const own = dialog.current;
    own?.showModal();
    // By a step back it goes without having been closed.
    return () => own?.close();
  }, []);
  const close = () => dialog.current?.close();
  const leave = (how: 'escape' | 'close') => {
    if (!guard?.current?.(how, close)) close();
  };
  return (
    <dialog ref={dialog} class={wide ? 'modal wide' : 'modal'} aria-labelledby={id} onClose={onClose}
      onCancel={(event) => {
        // Not of a dialog within, nor of a file that was not chosen: those bubble.
        if (event.target !== dialog.current) return;
        event.preventDefault();
        leave('escape');
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.defaultPrevented) return;
        event.preventDefault();
        event.stopPropagation();
        leave('escape');
      }}
      onPointerDown={(event) => { if (event.target === dialog.current) leave('close'); }}>
      <header class="settings-head">
        <h2 id={id}>{title}</h2>
        {actions}
        <button type="button" class="quiet" onClick={() => leave('close')} aria-label={t.close} title={t.close}>
          <Icon name="close" />
        </button>
      </header>
      <div class="modal-body" tabIndex={0} role="region" aria-label={title}>{children}</div>
    </dialog>
  );
}

export function Loading() {
  return <div class="skeleton" role="status" aria-label={t.reading}><i /><i /><i /></div>;
}
