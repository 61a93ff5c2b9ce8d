import type { AttachmentRef, Feedback, Recalled } from './state';

/** Reads what an event carries. A member that is missing or of another kind reads as nothing. */

export function failureDetail(error: unknown): string {
  if (typeof error === 'string') return error;
  return isRecord(error) ? text(error.detail) || text(error.code) : '';
}

/** The rule that denied: a member of its own, or named at the beginning of the detail. */
export function ruleOf(error: unknown): string {
  if (!isRecord(error)) return '';
  return text(error.rule) || (/^rule ([^\s:]+):/.exec(text(error.detail))?.[1] ?? '');
}

export function attachmentRefs(attachments: unknown): AttachmentRef[] {
  if (!Array.isArray(attachments)) return [];
  return attachments.filter(isRecord).map((item) => ({
    id: text(item.id),
    filename: text(item.filename),
    contentType: text(item.content_type),
    sizeBytes: number(item.size_bytes),
  }));
}

export function recalledOf(payload: Readonly<Record<string, unknown>>): Recalled {
  const items = Array.isArray(payload.items) ? payload.items.filter(isRecord) : [];
  return {
    items: items.map((item) => ({
      memoryId: text(item.memory_id), text: text(item.text), kind: text(item.kind), sessionId: text(item.session_id),
      messageId: text(item.message_id), createdAt: text(item.created_at), place: isRecord(item.place) ? item.place : null,
    })),
    degraded: payload.degraded === true,
    reason: text(payload.reason),
  };
}

/** An imported log may say anything here. */
export function feedbackOf(data: unknown): Feedback | null {
  if (!isRecord(data) || (data.rating !== 'helpful' && data.rating !== 'not_helpful')) return null;
  const tags = Array.isArray(data.tags) ? data.tags.map(text).filter((tag) => tag !== '') : [];
  return { rating: data.rating, tags, comment: text(data.comment) };
}

/** The files that a tool's output names, however deep. */
export function filesIn(output: unknown, depth = 4): string[] {
  if (depth === 0 || typeof output !== 'object' || output === null) return [];
  const own = isRecord(output) ? text(output.attachment_id) : '';
  const within = Object.values(output).flatMap((value) => filesIn(value, depth - 1));
  return [...new Set(own === '' ? within : [own, ...within])];
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
