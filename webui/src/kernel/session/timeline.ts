import type { Envelope } from '../api/types';
import { fold } from './fold';
import { emptySession, type SessionState } from './state';

const every = 200;

/** The states a log went through. Any is at hand within a few events of one that is kept. */
export class Timeline {
  private readonly kept: SessionState[] = [emptySession];

  constructor(readonly events: readonly Envelope[]) {
    let state = emptySession;
    events.forEach((event, i) => {
      state = fold(state, event);
      if ((i + 1) % every === 0) this.kept.push(state);
    });
  }

  /** After the first `count` events. */
  at(count: number): SessionState {
    const from = Math.floor(count / every);
    let state = this.kept[from] as SessionState;
    for (let i = from * every; i < count; i++) state = fold(state, this.events[i] as Envelope);
    return state;
  }
}
