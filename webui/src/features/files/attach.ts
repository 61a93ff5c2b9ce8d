import { signal } from '@preact/signals';
import { sentence } from '../../kernel/api/http';
import type { Attachment } from '../../kernel/api/types';
import { runtimeConfig } from '../../kernel/account';
import { say } from '../../kernel/toasts';
import { t } from '../../kernel/texts/texts';
import { uploadFile, type Transfer } from './upload';

/** A file on its way to a message. */
export interface Upload {
  readonly key: number;
  /** The chat whose next message it goes with. */
  readonly chat: string;
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly sent: number;
  readonly phase: 'waiting' | 'sending' | 'done' | 'failed';
  readonly problem: string;
  readonly made: Attachment | null;
  /** Of a picture: an address to show it from. */
  readonly preview: string;
}

const atOnce = 2;

export const uploads = signal<readonly Upload[]>([]);

const files = new Map<number, File>();
const transfers = new Map<number, Transfer<Attachment>>();
let lastKey = 0;

/** How many a message may carry; 0 where this server takes none. */
export function attachmentsMax(): number {
  return runtimeConfig.value.limits?.attachments_max ?? 0;
}

export function uploadsOf(chat: string): readonly Upload[] {
  return uploads.value.filter((upload) => upload.chat === chat);
}

export function attach(chat: string, chosen: Iterable<File>): void {
  const room = attachmentsMax() - uploads.peek().filter((upload) => upload.chat === chat).length;
  const all = [...chosen];
  if (all.length > room) say(t.files.tooMany(attachmentsMax()), { look: 'bad' });
  const added = all.slice(0, Math.max(0, room)).map((file): Upload => {
    const key = ++lastKey;
    files.set(key, file);
    return {
      key, chat, name: file.name || t.files.pasted, size: file.size, type: file.type, sent: 0,
      phase: 'waiting', problem: '', made: null,
      preview: file.type.startsWith('image/') ? URL.createObjectURL(file) : '',
    };
  });
  uploads.value = [...uploads.peek(), ...added];
  sendNext();
}

export function retryUpload(key: number): void {
  change(key, { phase: 'waiting', problem: '', sent: 0 });
  sendNext();
}

/** Takes a file off its message; what is on its way is cancelled. */
export function detach(key: number): void {
  const upload = uploads.peek().find((other) => other.key === key);
  uploads.value = uploads.peek().filter((other) => other.key !== key);
  transfers.get(key)?.cancel();
  transfers.delete(key);
  files.delete(key);
  if (upload?.preview) URL.revokeObjectURL(upload.preview);
}

/** What was chosen here is not for whoever signs in next. */
export function clearUploads(): void {
  for (const { key } of uploads.peek()) detach(key);
}

/** What goes with the message that is sent now. */
export function takeAttachments(chat: string): Attachment[] {
  const all = uploads.peek().filter((upload) => upload.chat === chat);
  for (const { key } of all) detach(key);
  return all.flatMap(({ made }) => (made ? [made] : []));
}

function sendNext(): void {
  for (const upload of uploads.peek()) {
    if (transfers.size >= atOnce) return;
    if (upload.phase === 'waiting') void send(upload.key);
  }
}

async function send(key: number): Promise<void> {
  const file = files.get(key);
  if (!file) return;
  change(key, { phase: 'sending' });
  const transfer = uploadFile(file, (sent, of) => {
    // The form around the file counts, too.
    change(key, { sent: of === 0 ? 0 : Math.round((file.size * sent) / of) });
  });
  transfers.set(key, transfer);
  try {
    const made = await transfer.done;
    const isBad = made.status === 'quarantined';
    change(key, isBad
      ? { phase: 'failed', problem: t.files.quarantined }
      : { phase: 'done', made, sent: file.size });
  } catch (error) {
    change(key, { phase: 'failed', problem: sentence(error) });
  } finally {
    transfers.delete(key);
    sendNext();
  }
}

function change(key: number, by: Partial<Upload>): void {
  uploads.value = uploads.peek().map((upload) => (upload.key === key ? { ...upload, ...by } : upload));
}
