import { signal } from '@preact/signals';
import { Problem, sentence } from '../../kernel/api/http';
import type { Memory, MemoryChange } from '../../kernel/api/types';
import { guardUnsaved } from '../../kernel/unsaved';
import type { Workspace } from '../../kernel/workspace';
import { always, expiresAt, expiryOf, isAhead, isSame, type Expiry } from './expiry';
import { addNote, changeMemory, readMemory } from './memory_api';
import { MemoryList } from './memory_list';
import { texts } from './texts';

/** What a form holds, as it is written. */
export interface Draft {
  readonly text: string;
  /** With commas between. */
  readonly tags: string;
  readonly importance: number;
  readonly expiry: Expiry;
}

export interface Editing {
  /** What it began with. */
  readonly base: Memory;
  readonly etag: string;
  readonly draft: Draft;
  /** What it was changed to by somebody else meanwhile, with its tag. */
  readonly theirs: { readonly memory: Memory; readonly etag: string } | null;
  readonly isGone: boolean;
  readonly problem: string;
  readonly isBusy: boolean;
}

export const textCharsMax = 16_384;
const tagsMax = 16;
const tagChars = 64;

const blank: Draft = { text: '', tags: '', importance: 0.5, expiry: always };

/**
 * What is being written: a memory that is changed, and a note that is made. It belongs to the
 * workspace, so that a look into a chat loses nothing of it; the browser asks before the page goes.
 */
export class MemoryEditing {
  readonly edited = signal<Editing | null>(null);
  readonly note = signal<(Draft & { readonly problem: string; readonly isBusy: boolean }) | null>(null);

  constructor(private readonly workspace: Workspace) {
    workspace.onEnd(guardUnsaved(() => this.isUnsaved));
  }

  get isUnsaved(): boolean {
    const edited = this.edited.peek();
    return (this.note.peek()?.text.trim() ?? '') !== '' ||
      (edited !== null && Object.keys(changeOf(edited.base, edited.draft)).length > 0);
  }

  async begin(id: string): Promise<void> {
    const { memory, etag } = await readMemory(id);
    this.workspace.of(MemoryList).put(memory);
    this.start(memory, etag);
  }

  write(part: Partial<Draft>): void {
    const edited = this.edited.peek();
    if (edited) this.edited.value = { ...edited, draft: { ...edited.draft, ...part }, problem: '' };
  }

  end(): void {
    this.edited.value = null;
  }

  /** True: it is saved, or there was nothing to save. */
  async save(): Promise<boolean> {
    const edited = this.edited.peek();
    if (!edited) return true;
    const problem = wrongIn(edited.draft, edited.base);
    if (problem !== '') return this.tell({ problem });
    const change = changeOf(edited.base, edited.draft);
    if (Object.keys(change).length === 0) {
      this.end();
      return true;
    }
    this.tell({ isBusy: true, problem: '' });
    try {
      this.workspace.of(MemoryList).put(await changeMemory(edited.base.memory_id, change, edited.etag));
      this.end();
      return true;
    } catch (error) {
      return this.refused(edited, error);
    }
  }

  takeTheirs(): void {
    const theirs = this.edited.peek()?.theirs;
    if (theirs) this.start(theirs.memory, theirs.etag);
  }

  /** Over what the reader has seen by now, and nothing newer. */
  async saveMine(): Promise<boolean> {
    const edited = this.edited.peek();
    if (!edited?.theirs) return false;
    this.edited.value = { ...edited, base: edited.theirs.memory, etag: edited.theirs.etag, theirs: null };
    return this.save();
  }

  beginNote(): void {
    this.note.value ??= { ...blank, problem: '', isBusy: false };
  }

  writeNote(part: Partial<Draft>): void {
    const note = this.note.peek();
    if (note) this.note.value = { ...note, ...part, problem: '' };
  }

  endNote(): void {
    this.note.value = null;
  }

  /** Answers whether it was new; null where it is not kept. */
  async keepNote(): Promise<boolean | null> {
    const note = this.note.peek();
    if (!note) return null;
    const problem = wrongIn(note);
    if (problem !== '') {
      this.note.value = { ...note, problem };
      return null;
    }
    this.note.value = { ...note, isBusy: true, problem: '' };
    try {
      const isNew = await this.keep(note);
      this.endNote();
      return isNew;
    } catch (error) {
      const now = this.note.peek();
      if (now) this.note.value = { ...now, isBusy: false, problem: noteProblem(error) };
      return null;
    }
  }

  /** What was changed here, of a memory that is not there any more. */
  async keepAsNote(): Promise<boolean> {
    const edited = this.edited.peek();
    if (!edited) return false;
    this.tell({ isBusy: true, problem: '' });
    try {
      await this.keep(edited.draft);
      this.end();
      return true;
    } catch (error) {
      return this.tell({ isBusy: false, problem: noteProblem(error) });
    }
  }

  private async keep({ text, tags, importance, expiry }: Draft): Promise<boolean> {
    const until = expiresAt(expiry);
    const { memory, isNew } = await addNote({
      text: text.trim(), tags: tagsIn(tags), importance, ...(until === null ? {} : { expires_at: until }),
    });
    this.workspace.of(MemoryList).put(memory);
    return isNew;
  }

  private start(memory: Memory, etag: string): void {
    this.edited.value = {
      base: memory, etag, draft: draftOf(memory), theirs: null, isGone: false, problem: '', isBusy: false,
    };
  }

  private async refused(edited: Editing, error: unknown): Promise<boolean> {
    if (!(error instanceof Problem) || (error.status !== 412 && error.status !== 404)) {
      return this.tell({ isBusy: false, problem: sentence(error) });
    }
    try {
      const theirs = await readMemory(edited.base.memory_id);
      this.workspace.of(MemoryList).put(theirs.memory);
      return this.tell({ isBusy: false, theirs });
    } catch (second) {
      const isGone = second instanceof Problem && second.status === 404;
      return this.tell({ isBusy: false, isGone, problem: isGone ? '' : sentence(second) });
    }
  }

  private tell(part: Partial<Editing>): false {
    const edited = this.edited.peek();
    if (edited) this.edited.value = { ...edited, ...part };
    return false;
  }
}

export function draftOf({ text, tags, importance, expires_at: until }: Memory): Draft {
  return { text, tags: tags.join(', '), importance, expiry: expiryOf(until) };
}

/** What of it was changed, as the server is told. */
export function changeOf(base: Memory, { text, tags, importance, expiry }: Draft): MemoryChange {
  const named = tagsIn(tags);
  return {
    ...(text === base.text ? {} : { text }),
    ...(named.join('\n') === base.tags.join('\n') ? {} : { tags: named }),
    ...(importance === base.importance ? {} : { importance }),
    ...(isSame(base.expires_at, expiry) ? {} : { expires_at: expiresAt(expiry) }),
  };
}

export function tagsIn(words: string): string[] {
  return [...new Set(words.split(',').map((tag) => tag.trim()).filter((tag) => tag !== ''))];
}

/** `base`: what it is a change of. A day that has gone by can stay, and not be chosen. */
function wrongIn({ text, tags, expiry }: Draft, base?: Memory): string {
  if (text.trim() === '') return texts.edit.empty;
  const named = tagsIn(tags);
  if (named.length > tagsMax || named.some((tag) => [...tag].length > tagChars)) return texts.edit.tagRules;
  const isUntouched = base !== undefined && isSame(base.expires_at, expiry);
  return isUntouched || isAhead(expiry) ? '' : texts.edit.dayGone;
}

/** Without a time to wait for, it is not how often was asked, but how much there is. */
function noteProblem(error: unknown): string {
  const isFull = error instanceof Problem && error.code === 'quota.exceeded' && error.retryAfterMs === 0;
  return isFull ? texts.full : sentence(error);
}
