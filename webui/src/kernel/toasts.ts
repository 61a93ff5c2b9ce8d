import { signal, untracked } from '@preact/signals';
import { Problem, sentence } from './api/http';
import type { Workspace } from './workspace';

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

export class Toasts {
  readonly shown = signal<readonly Toast[]>([]);
  private readonly timers = new Map<number, ReturnType<typeof setTimeout>>();
  private lastId = 0;

  constructor(workspace: Workspace) {
    // What one reader asked for is not asked for as the next.
    workspace.effect(() => {
      if (!workspace.isLive.value) untracked(() => this.clear());
    });
    workspace.onEnd(() => this.clear());
  }

  /**
   * Shows it; the same again only counts. More than three, and the oldest goes that only says
   * something: what can be undone stays as long as it was promised.
   */
  readonly say = (text: string, options: ToastOptions = {}): number => {
    const toast: Toast = {
      id: ++this.lastId, look: 'plain', text, requestId: '', count: 1, action: null, onGone: null,
      staysMs: options.look === 'bad' ? 0 : plainStaysMs, ...options,
    };
    const twin = this.shown.peek().find(
      (other) => other.text === text && other.look === toast.look && !other.action && !toast.action,
    );
    if (twin) {
      const again = { ...twin, count: twin.count + 1, requestId: toast.requestId || twin.requestId };
      this.shown.value = this.shown.peek().map((other) => (other === twin ? again : other));
      this.wait(again);
      return twin.id;
    }
    this.shown.value = [...this.shown.peek(), toast];
    this.wait(toast);
    const words = this.shown.peek().filter((other) => other.action === null && other.onGone === null);
    for (const { id } of words.slice(0, Math.max(0, this.shown.peek().length - shownMax))) {
      if (id !== toast.id) this.dismiss(id);
    }
    return toast.id;
  };

  /** Says that something did not work, in a sentence and with the request to ask about. */
  readonly sayTrouble = (error: unknown): void => {
    this.say(sentence(error), {
      look: 'bad', requestId: error instanceof Problem ? error.requestId : '',
    });
  };

  /** Runs what a button asks for, and tells of it when it does not work. Answers whether it did. */
  readonly attempt = async (action: () => unknown): Promise<boolean> => {
    try {
      await action();
      return true;
    } catch (error) {
      this.sayTrouble(error);
      return false;
    }
  };

  dismiss(id: number): void {
    this.take(id)?.onGone?.();
  }

  act(id: number): void {
    this.take(id)?.action?.run();
  }

  /** While it is read, a toast does not go by itself. */
  hold(id: number): void {
    clearTimeout(this.timers.get(id));
  }

  release(id: number): void {
    const toast = this.shown.peek().find((other) => other.id === id);
    if (toast) this.wait(toast);
  }

  /** Takes all away, without what waits for their ends. */
  clear(): void {
    for (const toast of this.shown.peek()) this.take(toast.id);
  }

  private take(id: number): Toast | undefined {
    const toast = this.shown.peek().find((other) => other.id === id);
    if (!toast) return undefined;
    clearTimeout(this.timers.get(id));
    this.timers.delete(id);
    this.shown.value = this.shown.peek().filter((other) => other !== toast);
    return toast;
  }

  private wait(toast: Toast): void {
    clearTimeout(this.timers.get(toast.id));
    if (toast.staysMs > 0) this.timers.set(toast.id, setTimeout(() => this.dismiss(toast.id), toast.staysMs));
  }
}
