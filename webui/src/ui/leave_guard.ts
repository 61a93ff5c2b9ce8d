import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { guardUnsaved } from '../kernel/unsaved';

/**
 * Asked before what is on the screen gives way: by Escape, one step back; by closing; or to
 * something beside it. True says that it was taken care of, as by going back one step or by asking
 * the reader first; `go` is then called where the reader agrees.
 */
export type LeaveGuard = RefObject<((how: 'escape' | 'close' | 'aside', go: () => void) => boolean) | null>;

/** Lets the browser ask, too, before it leaves the page. */
export function useUnsaved(isUnsaved: () => boolean): void {
  const check = useRef(isUnsaved);
  check.current = isUnsaved;
  useEffect(() => guardUnsaved(() => check.current()), []);
}
