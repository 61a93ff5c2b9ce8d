import { signal } from '@preact/signals';

/** The dialog that is open over the chat, and what it is about. */
export type Modal =
  | { readonly kind: 'history'; readonly sessionId: string }
  | { readonly kind: 'context'; readonly sessionId: string }
  | { readonly kind: 'travel'; readonly sessionId: string }
  | { readonly kind: 'tool'; readonly sessionId: string; readonly toolId: string }
  | { readonly kind: 'files'; readonly sessionId: string | null }
  | { readonly kind: 'attachments'; readonly sessionId: string }
  | { readonly kind: 'move'; readonly sessionId: string | null }
  | { readonly kind: 'events'; readonly sessionId: string; readonly span: EventSpan };

/** The events of one turn: those that name it, in this stretch of the log. */
export interface EventSpan {
  readonly turnId: string;
  readonly beforeId: string | null;
  readonly lastId: string;
}

export const modal = signal<Modal | null>(null);

export function openModal(what: Modal): void {
  modal.value = what;
}
