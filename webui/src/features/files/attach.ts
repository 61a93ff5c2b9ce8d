import { signal } from '@preact/signals';
import { sentence } from '../../kernel/api/http';
import type { Attachment } from '../../kernel/api/types';
import { ServerConfig } from '../../kernel/server_config';
import { Toasts } from '../../kernel/toasts';
import { guardUnsaved } from '../../kernel/unsaved';
import type { Workspace } from '../../kernel/workspace';
import { uploadFile, type Transfer } from './upload';
import { texts } from './texts';

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

/** The files that go with messages that are not sent yet. */
export class Uploads {
  readonly all = signal<readonly Upload[]>([]);
  private readonly files = new Map<number, File>();
  private readonly transfers = new Map<number, Transfer<Attachment>>();
  private lastKey = 0;

  constructor(private readonly workspace: Workspace) {
    workspace.onEnd(guardUnsaved(() => this.all.peek().length > 0));
  }

  /** What was chosen here is not for whoever signs in next. */
  dispose(): void {
    for (const { key } of this.all.peek()) this.detach(key);
  }

  /** How many a message may carry; 0 where this server takes none. */
  get max(): number {
    return this.workspace.of(ServerConfig).now.limits?.attachments_max ?? 0;
  }

  of(chat: string): readonly Upload[] {
    return this.all.value.filter((upload) => upload.chat === chat);
  }

  attach(chat: string, chosen: Iterable<File>): void {
    const room = this.max - this.all.peek().filter((upload) => upload.chat === chat).length;
    const all = [...chosen];
    if (all.length > room) this.workspace.of(Toasts).say(texts.tooMany(this.max), { look: 'bad' });
    const added = all.slice(0, Math.max(0, room)).map((file): Upload => {
      const key = ++this.lastKey;
      this.files.set(key, file);
      return {
        key, chat, name: file.name || texts.pasted, size: file.size, type: file.type, sent: 0,
        phase: 'waiting', problem: '', made: null,
        preview: file.type.startsWith('image/') ? URL.createObjectURL(file) : '',
      };
    });
    this.all.value = [...this.all.peek(), ...added];
    this.sendNext();
  }

  retry(key: number): void {
    this.change(key, { phase: 'waiting', problem: '', sent: 0 });
    this.sendNext();
  }

  /** Takes a file off its message; what is on its way is cancelled. */
  detach(key: number): void {
    const upload = this.all.peek().find((other) => other.key === key);
    this.all.value = this.all.peek().filter((other) => other.key !== key);
    this.transfers.get(key)?.cancel();
    this.transfers.delete(key);
    this.files.delete(key);
    if (upload?.preview) URL.revokeObjectURL(upload.preview);
  }

  /** What goes with the message that is sent now. */
  take(chat: string): Attachment[] {
    const all = this.all.peek().filter((upload) => upload.chat === chat);
    for (const { key } of all) this.detach(key);
    return all.flatMap(({ made }) => (made ? [made] : []));
  }

  private sendNext(): void {
    for (const upload of this.all.peek()) {
      if (this.transfers.size >= atOnce) return;
      if (upload.phase === 'waiting') void this.send(upload.key);
    }
  }

  private async send(key: number): Promise<void> {
    const file = this.files.get(key);
    if (!file) return;
    this.change(key, { phase: 'sending' });
    const transfer = uploadFile(file, (sent, of) => {
      // The form around the file counts, too.
      this.change(key, { sent: of === 0 ? 0 : Math.round((file.size * sent) / of) });
    });
    this.transfers.set(key, transfer);
    try {
      const made = await transfer.done;
      const isBad = made.status === 'quarantined';
      this.change(key, isBad
        ? { phase: 'failed', problem: texts.quarantined }
        : { phase: 'done', made, sent: file.size });
    } catch (error) {
      this.change(key, { phase: 'failed', problem: sentence(error) });
    } finally {
      this.transfers.delete(key);
      this.sendNext();
    }
  }

  private change(key: number, by: Partial<Upload>): void {
    this.all.value = this.all.peek().map((upload) => (upload.key === key ? { ...upload, ...by } : upload));
  }
}
