import { apiUrl } from '../../kernel/api/http';

export function attachmentUrl(id: string): string {
  return apiUrl(`attachments/${encodeURIComponent(id)}`);
}
