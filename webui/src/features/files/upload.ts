import { apiUrl, NoAnswer, Problem, problemFrom, tellsSignedOut } from '../../kernel/api/http';
import type { Attachment } from '../../kernel/api/types';
import { texts } from './texts';

/** A request under way that tells how far it is. */
export interface Transfer<Answer> {
  readonly done: Promise<Answer>;
  cancel(): void;
}

/** Sends files as a form. fetch cannot tell how much has gone; XMLHttpRequest can. */
export function sendFiles<Answer>(
  path: string, files: readonly File[], onSent: (bytes: number, of: number) => void,
): Transfer<Answer> {
  const request = new XMLHttpRequest();
  const tell = tellsSignedOut();
  const form = new FormData();
  for (const file of files) form.append('file', file, file.name);
  const done = new Promise<Answer>((succeed, fail) => {
    request.upload.onprogress = (event) => onSent(event.loaded, event.total);
    request.onload = () => {
      const body = bodyOf(request.responseText);
      tell(request.status);
      if (request.status >= 200 && request.status < 300) succeed(body as Answer);
      else fail(problemFrom(request.status, body, request.getResponseHeader('X-Request-ID') ?? ''));
    };
    request.onerror = () => fail(new NoAnswer('no answer'));
    request.onabort = () => fail(new DOMException('cancelled', 'AbortError'));
    request.open('POST', apiUrl(path));
    request.send(form);
  });
  return { done, cancel: () => request.abort() };
}

export function uploadFile(file: File, onSent: (bytes: number, of: number) => void): Transfer<Attachment> {
  const { done, cancel } = sendFiles<Attachment[]>('uploads', [file], onSent);
  return {
    cancel,
    done: done.then((made) => {
      const one = made[0];
      if (!one) throw new Problem(0, '', texts.nothingKept, '');
      return one;
    }),
  };
}

function bodyOf(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
