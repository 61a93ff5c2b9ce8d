import { effect, signal, untracked, type Signal } from '@preact/signals';
import type { Identity } from './api/types';
import { nameOfPerson } from './person';

/** Something a workspace owns, made when it is first asked for. */
export interface Part {
  /** What was begun as this person is brought to an end before they are signed out. */
  finish?(): Promise<unknown>;
  /** They signed out: what the browser keeps of it goes. */
  forget?(): void;
  /** After this it does nothing any more, and is told nothing. */
  dispose?(): void;
}

export type PartClass<Made extends object> = new (workspace: Workspace) => Made;

let made = 0;

/**
 * What the page holds for one signed-in person: its parts, each made once, and all that they listen
 * to. It ends when they sign out, or when somebody else signs in, and nothing of it is left then.
 * A session that only ended leaves it as it is: `isLive` tells.
 */
export class Workspace {
  /** No two of a page's life have the same. */
  readonly id = ++made;
  readonly person: string;
  readonly identity: Signal<Identity>;
  /** False from when the session ended until its reader is back. */
  readonly isLive = signal(true);
  private readonly end = new AbortController();
  private readonly parts = new Map<PartClass<object>, Part>();
  private readonly making = new Set<PartClass<object>>();
  private readonly ends: (() => void)[] = [];

  constructor(identity: Identity) {
    this.identity = signal(identity);
    this.person = nameOfPerson(identity);
  }

  /** Aborted when the workspace ends: for listeners and requests. */
  get ended(): AbortSignal {
    return this.end.signal;
  }

  /** The one part of that class. */
  of<Made extends object>(Class: PartClass<Made>): Made {
    const there = this.parts.get(Class);
    if (there) return there as Made;
    if (this.making.has(Class)) throw new Error(`${Class.name} needs itself to be made`);
    this.making.add(Class);
    try {
      // Whoever asks first does not look at what it looks at.
      const part = untracked(() => new Class(this));
      this.parts.set(Class, part);
      return part;
    } finally {
      this.making.delete(Class);
    }
  }

  /** Under which name the browser keeps something for this person. */
  nameOf(stored: string): string {
    return `${stored}@${this.person}`;
  }

  effect(run: () => void | (() => void)): void {
    if (!this.ended.aborted) this.onEnd(effect(run));
  }

  onEnd(work: () => void): void {
    this.ends.push(work);
  }

  async finish(): Promise<void> {
    await Promise.all([...this.parts.values()].map((part) => part.finish?.()));
  }

  forget(): void {
    for (const part of this.parts.values()) part.forget?.();
  }

  dispose(): void {
    if (this.ended.aborted) return;
    this.end.abort();
    for (const work of this.ends.reverse()) work();
    // What was made later may need what was made before.
    for (const part of [...this.parts.values()].reverse()) part.dispose?.();
  }
}
