import { signal } from '@preact/signals';
import { asSentence, Problem, sentence } from '../../kernel/api/http';
import type { Attachment, DocumentImported } from '../../kernel/api/types';
import { open } from '../../kernel/route';
import { Toasts } from '../../kernel/toasts';
import { guardUnsaved } from '../../kernel/unsaved';
import type { Workspace } from '../../kernel/workspace';
import { deleteFile } from '../files/session_files';
import { texts as fileTexts } from '../files/texts';
import { uploadFile } from '../files/upload';
import { Forgets } from './forgets';
import { summaryOf } from './import_words';
import { importDocument } from './memory_api';
import { isLater, pauseAfter } from './patience';
import { texts } from './texts';

/** A document on its way to what is known. */
export interface KnowledgeFile {
  readonly key: number;
  readonly name: string;
  readonly size: number;
  readonly sent: number;
  readonly phase: 'waiting' | 'sending' | 'reading' | 'done' | 'failed' | 'cancelled';
  /** The server is busy or away, and will be asked again. */
  readonly isHeld: boolean;
  readonly passages: number;
  /** There was more of it than is kept. */
  readonly truncated: boolean;
  /** It was kept before. */
  readonly again: boolean;
  /** Why it failed, a sentence. */
  readonly problem: string;
  /** Once it was uploaded. */
  readonly made: Attachment | null;
}

/** So many are in the list at most. */
export const filesMax = 500;
/**
 * How often a step is tried where the server is busy or gives no answer, with breaks of up to eight
 * seconds: a document that another import keeps waiting is waited for; a whole file is not sent often.
 */
const triesMax = { sending: 3, reading: 60 };

export function isOpen({ phase }: KnowledgeFile): boolean {
  return phase === 'waiting' || phase === 'sending' || phase === 'reading';
}

/**
 * Documents that are uploaded and kept as knowledge, one at a time, as the server takes them. It goes on
 * while something else is looked at; what is not done when the page goes is not done.
 */
export class Imports {
  readonly all = signal<readonly KnowledgeFile[]>([]);
  private readonly files = new Map<number, File>();
  private running: { readonly key: number; readonly end: AbortController } | null = null;
  private isAtWork = false;
  private looks = 0;
  private lastKey = 0;

  constructor(private readonly workspace: Workspace) {
    workspace.onEnd(guardUnsaved(() => this.all.peek().some(isOpen)));
    // What waited for its reader to be back.
    workspace.effect(() => {
      if (workspace.isLive.value) void this.work();
    });
  }

  /** What was chosen here is not for whoever signs in next. */
  dispose(): void {
    this.running?.end.abort();
    this.files.clear();
  }

  /** While somebody looks, until the answer is called, the end needs no word over the page. */
  look(): () => void {
    this.looks++;
    return () => void this.looks--;
  }

  add(chosen: readonly File[]): void {
    const room = filesMax - this.all.peek().length;
    if (chosen.length > room) this.workspace.of(Toasts).say(texts.imports.tooMany(filesMax), { look: 'bad' });
    const added = chosen.slice(0, Math.max(0, room)).map((file): KnowledgeFile => {
      const key = ++this.lastKey;
      this.files.set(key, file);
      return {
        key, name: file.name, size: file.size, sent: 0, phase: 'waiting', isHeld: false, passages: 0, truncated: false,
        again: false, problem: '', made: null,
      };
    });
    this.all.value = [...this.all.peek(), ...added];
    void this.work();
  }

  /** What was uploaded is not uploaded again. */
  retry(key: number): void {
    this.change(key, { phase: 'waiting', problem: '', sent: 0 });
    void this.work();
  }

  retryFailed(): void {
    for (const { key, phase } of this.all.peek()) if (phase === 'failed') this.retry(key);
  }

  cancel(key: number): void {
    const file = this.find(key);
    if (!file || !isOpen(file)) return;
    this.change(key, { phase: 'cancelled', isHeld: false });
    if (this.running?.key === key) this.running.end.abort();
  }

  cancelAll(): void {
    // The one under way last: the next does not begin in between.
    for (const { key } of [...this.all.peek()].reverse()) this.cancel(key);
  }

  /** Takes one that is over off the list. */
  remove(key: number): void {
    this.all.value = this.all.peek().filter((file) => file.key !== key || isOpen(file));
    if (!this.find(key)) this.files.delete(key);
  }

  clear(): void {
    for (const { key } of this.all.peek()) this.remove(key);
  }

  private find(key: number): KnowledgeFile | undefined {
    return this.all.peek().find((file) => file.key === key);
  }

  private change(key: number, by: Partial<KnowledgeFile>): void {
    this.all.value = this.all.peek().map((file) => (file.key === key ? { ...file, ...by } : file));
  }

  private async work(): Promise<void> {
    if (this.isAtWork) return;
    this.isAtWork = true;
    let count = 0;
    while (this.workspace.isLive.peek() && !this.workspace.ended.aborted) {
      const next = this.all.peek().find(({ phase }) => phase === 'waiting');
      if (!next) break;
      count++;
      await this.bring(next.key);
    }
    this.isAtWork = false;
    if (count > 0 && this.looks === 0 && !this.all.peek().some(isOpen)) this.tellEnd();
  }

  private tellEnd(): void {
    if (this.workspace.ended.aborted || !this.workspace.isLive.peek()) return;
    this.workspace.of(Toasts).say(summaryOf(this.all.peek()), {
      action: { label: texts.imports.show, run: () => open('memory', { kind: 'knowledge' }) },
    });
  }

  private async bring(key: number): Promise<void> {
    const end = new AbortController();
    this.running = { key, end };
    try {
      const made = this.find(key)?.made ?? (await this.upload(key, end.signal));
      await this.keep(key, made, end.signal);
    } catch (error) {
      if (!end.signal.aborted) this.fail(key, error);
    } finally {
      this.running = null;
    }
    if (end.signal.aborted && !this.workspace.ended.aborted) await this.takeBack(key);
  }

  private async upload(key: number, signal: AbortSignal): Promise<Attachment> {
    const file = this.files.get(key);
    // A file that was moved or changed, or a folder, would look like a lost connection.
    const isThere = await file?.slice(0, 1).arrayBuffer().then(() => true, () => false);
    if (!file || !isThere) throw new Error(texts.imports.unreadable);
    const made = await this.patiently(key, 'sending', signal, async () => {
      const transfer = uploadFile(file, (sent, of) => {
        // The form around the file counts, too.
        this.change(key, { sent: of === 0 ? 0 : Math.round((file.size * sent) / of) });
      });
      signal.addEventListener('abort', transfer.cancel, { once: true });
      return transfer.done;
    });
    this.change(key, { made });
    return made;
  }

  private async keep(key: number, made: Attachment, signal: AbortSignal): Promise<void> {
    const kept = (await this.keptBefore(key, made, signal)) ??
      (await this.patiently(key, 'reading', signal, () => importDocument(made.id, signal)));
    const { passages, truncated, again } = kept;
    this.change(key, { phase: 'done', passages, truncated, again });
    this.files.delete(key);
  }

  /**
   * The same bytes would be another document, which says all of it twice: the one that they were is asked
   * for instead. Null where there is none; where it was forgotten since, it is kept anew.
   */
  private async keptBefore(key: number, made: Attachment, signal: AbortSignal): Promise<DocumentImported | null> {
    const { documents } = this.workspace.of(Forgets);
    const twin = this.all.peek().find((other) => other.key !== key && other.phase === 'done' && other.passages > 0 &&
      other.made?.sha256 === made.sha256 && !documents.peek().has(other.made.id));
    const before = twin?.made;
    if (!before) return null;
    try {
      const kept = await this.patiently(key, 'reading', signal, () => importDocument(before.id, signal));
      this.change(key, { made: before });
      return kept;
    } catch (error) {
      if (error instanceof Problem && (error.status === 404 || error.status === 410)) return null;
      throw error;
    }
  }

  /** Tries a step again for as long as it is only the server's hour that is wrong. */
  private async patiently<Answer>(
    key: number, phase: 'sending' | 'reading', signal: AbortSignal, step: () => Promise<Answer>,
  ): Promise<Answer> {
    for (let failures = 0; ; failures++) {
      signal.throwIfAborted();
      this.change(key, { phase, isHeld: false, sent: 0 });
      try {
        const answer = await step();
        signal.throwIfAborted();
        return answer;
      } catch (error) {
        if (signal.aborted || !isLater(error) || failures + 1 >= triesMax[phase]) throw error;
        this.change(key, { isHeld: true });
        await pauseAfter(error, failures, signal);
      }
    }
  }

  private fail(key: number, error: unknown): void {
    const { workspace } = this;
    if (workspace.ended.aborted) return;
    // The session ended: it goes on once its reader is back.
    if (error instanceof Problem && error.status === 401 && !workspace.isLive.peek()) {
      return this.change(key, { phase: 'waiting', isHeld: false });
    }
    const isGone = error instanceof Problem && error.code.startsWith('attachment.') && error.code !== 'attachment.pending';
    this.change(key, { phase: 'failed', isHeld: false, problem: whyNot(error), ...(isGone ? { made: null } : {}) });
  }

  /** The server reads on what was cancelled; with its attachment goes all that it keeps of it. */
  private async takeBack(key: number): Promise<void> {
    const made = this.find(key)?.made;
    if (!made) return;
    this.change(key, { made: null });
    try {
      await deleteFile(made.id);
    } catch (error) {
      const isGone = error instanceof Problem && (error.status === 404 || error.status === 410);
      if (!isGone) this.change(key, { problem: texts.imports.perhapsKept });
    }
  }
}

/** Of a file, why it is not kept, in a sentence. */
function whyNot(error: unknown): string {
  if (!(error instanceof Problem)) return sentence(error);
  // Here it is the document that is wrong, and the server says how; nothing was entered.
  if (error.code === 'request.invalid') return asSentence(error.detail);
  if (error.code === 'attachment.quarantined') return fileTexts.quarantined;
  if (error.code === 'quota.exceeded' && error.retryAfterMs === 0) return texts.imports.noRoom;
  return sentence(error);
}
