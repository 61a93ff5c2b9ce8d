import { t } from '../kernel/texts/texts';
import { act, dismiss, hold, release, toasts, type Toast } from '../kernel/toasts';
import { CopyButton } from './copy_button';
import { Icon } from './icon';

export function Toasts() {
  return (
    <div class="toasts" role="region" aria-label={t.toasts.region}>
      {toasts.value.map((toast) => <ToastView key={toast.id} toast={toast} />)}
    </div>
  );
}

function ToastView({ toast }: { toast: Toast }) {
  const { id, look, text, count, action, requestId } = toast;
  return (
    <div class={`toast ${look}`} role={look === 'bad' ? 'alert' : 'status'}
      onMouseEnter={() => hold(id)} onMouseLeave={() => release(id)}
      onFocusCapture={() => hold(id)} onBlurCapture={() => release(id)}>
      <Icon name={look === 'bad' ? 'alert' : 'check'} />
      <p dir="auto">{text}{count > 1 && <b class="toast-count">{t.toasts.times(count)}</b>}</p>
      {requestId && <CopyButton label={t.copyRequestId} text={() => requestId} />}
      {action && (
        <button type="button" class="small" onClick={() => act(id)}>{action.label}</button>
      )}
      <button type="button" class="quiet small bare" aria-label={t.toasts.dismiss}
        title={t.toasts.dismiss} onClick={() => dismiss(id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
