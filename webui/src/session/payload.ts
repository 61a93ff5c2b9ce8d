/** Reads what an event carries. A member that is missing or of another kind reads as nothing. */

export function failureDetail(error: unknown): string {
  if (typeof error === 'string') return error;
  return isRecord(error) ? text(error.detail) || text(error.code) : '';
}

export function attachmentIds(attachments: unknown): string[] {
  if (!Array.isArray(attachments)) return [];
  return attachments.map((item) => (isRecord(item) ? text(item.id) : text(item)));
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
