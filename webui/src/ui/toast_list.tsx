import { Toasts, type Toast } from '../kernel/toasts';
import { usePart } from './use_part';
import { CopyButton } from './copy_button';
import { Icon } from './icon';
import { t } from '../kernel/texts/texts';
import './toast_list.css';

export function ToastList() {
  return (
    <div class="toasts" role="region" aria-label={t.toasts.region}>
      {usePart(Toasts).shown.value.map((toast) => <ToastView key={toast.id} toast={toast} />)}
    </div>
  );
}

function ToastView({ toast }: { toast: Toast }) {
  const toasts = usePart(Toasts);
  const { id, look, text, count, action, requestId } = toast;
  return (
    <div class={`toast ${look}`} role={look === 'bad' ? 'alert' : 'status'}
      onMouseEnter={() => toasts.hold(id)} onMouseLeave={() => toasts.release(id)}
      onFocusCapture={() => toasts.hold(id)} onBlurCapture={() => toasts.release(id)}>
      <Icon name={look === 'bad' ? 'alert' : 'check'} />
      <p dir="auto">{text}{count > 1 && <b class="toast-count">{t.toasts.times(count)}</b>}</p>
      {requestId && <CopyButton label={t.copyRequestId} text={() => requestId} />}
      {action && (
        <button type="button" class="small" onClick={() => toasts.act(id)}>{action.label}</button>
      )}
      <button type="button" class="quiet small bare" aria-label={t.toasts.dismiss}
        title={t.toasts.dismiss} onClick={() => toasts.dismiss(id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
