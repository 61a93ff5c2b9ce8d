import { apiUrl, fetchOk, request } from '../../kernel/api/http';
import type { WorkList, WorkText } from '../../kernel/api/types';

/** A session's work folder, or with null the one that the tenant's sessions share. */
export class WorkFolder {
  constructor(private readonly sessionId: string | null) {}

  list(path: string): Promise<WorkList> {
    return request<WorkList>(this.url('list', { path }));
  }

  read(path: string): Promise<WorkText> {
    return request<WorkText>(this.url('read', { path }));
  }

  async write(path: string, text: string): Promise<void> {
    await fetchOk(this.url('write', { path }), {
      method: 'PUT', body: text, headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    });
  }

  move(from: string, to: string): Promise<void> {
    return request('workdir/move', { method: 'POST', body: { ...this.own, from, to } });
  }

  makeFolder(path: string): Promise<void> {
    return request('workdir/mkdir', { method: 'POST', body: { ...this.own, path } });
  }

  remove(path: string): Promise<void> {
    return request(this.url('delete', { path }), { method: 'DELETE' });
  }

  uploadPath(path: string): string {
    return this.url('upload', { path });
  }

  downloadUrl(path: string): string {
    return apiUrl(this.url('download', { path }));
  }

  private get own(): { session_id?: string } {
    return this.sessionId === null ? {} : { session_id: this.sessionId };
  }

  private url(verb: string, query: Record<string, string>): string {
    return `workdir/${verb}?${new URLSearchParams({ ...this.own, ...query })}`;
  }
}

export function joined(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
