import { signal } from '@preact/signals';
import { Problem, sentence } from './api/http';

/** A short word to the reader that stands over the page. */
export interface Toast {
  readonly id: number;
  readonly look: 'plain' | 'bad';
  readonly text: string;
  /** To be copied, where the server named one. */
  readonly requestId: string;
  /** How many times the same was said. */
  readonly count: number;
  readonly action: ToastAction | null;
  /** Called once when the toast goes, unless its action was taken. */
  readonly onGone: (() => void) | null;
  /** 0 stays until it is dismissed. */
  readonly staysMs: number;
}

export interface ToastAction {
  readonly label: string;
  readonly run: () => void;
}

export type ToastOptions = Partial<Omit<Toast, 'id' | 'text' | 'count'>>;

const shownMax = 3;
const plainStaysMs = 6_000;

export const toasts = signal<readonly Toast[]>([]);

const timers = new Map<number, ReturnType<typeof setTimeout>>();
let lastId = 0;

/**
 * Shows it; the same again only counts. More than three, and the oldest goes that only says
 * something: what can be undone stays as long as it was promised.
 */
export function say(text: string, options: ToastOptions = {}): number {
  const toast: Toast = {
    id: ++lastId, look: 'plain', text, requestId: '', count: 1, action: null, onGone: null,
    staysMs: options.look === 'bad' ? 0 : plainStaysMs, ...options,
  };
  const twin = toasts.peek().find(
    (other) => other.text === text && other.look === toast.look && !other.action && !toast.action,
  );
  if (twin) {
    const again = { ...twin, count: twin.count + 1, requestId: toast.requestId || twin.requestId };
    toasts.value = toasts.peek().map((other) => (other === twin ? again : other));
    wait(again);
    return twin.id;
  }
  toasts.value = [...toasts.peek(), toast];
  wait(toast);
  const words = toasts.peek().filter((other) => other.action === null && other.onGone === null);
  for (const { id } of words.slice(0, Math.max(0, toasts.peek().length - shownMax))) {
    if (id !== toast.id) dismiss(id);
  }
  return toast.id;
}

/** Says that something did not work, in a sentence and with the request to ask about. */
export function sayTrouble(error: unknown): void {
  say(sentence(error), {
    look: 'bad', requestId: error instanceof Problem ? error.requestId : '',
  });
}

/** Runs what a button asks for, and tells of it when it does not work. Answers whether it did. */
export async function attempt(action: () => unknown): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    sayTrouble(error);
    return false;
  }
}

export function dismiss(id: number): void {
  take(id)?.onGone?.();
}

export function act(id: number): void {
  take(id)?.action?.run();
}

/** While it is read, a toast does not go by itself. */
export function hold(id: number): void {
  clearTimeout(timers.get(id));
}

export function release(id: number): void {
  const toast = toasts.peek().find((other) => other.id === id);
  if (toast) wait(toast);
}

/** Takes all away, without what waits for their ends. */
export function clearToasts(): void {
  for (const toast of toasts.peek()) take(toast.id);
}

function take(id: number): Toast | undefined {
  const toast = toasts.peek().find((other) => other.id === id);
  if (!toast) return undefined;
  clearTimeout(timers.get(id));
  timers.delete(id);
  toasts.value = toasts.peek().filter((other) => other !== toast);
  return toast;
}

function wait(toast: Toast): void {
  clearTimeout(timers.get(toast.id));
  if (toast.staysMs > 0) timers.set(toast.id, setTimeout(() => dismiss(toast.id), toast.staysMs));
}
