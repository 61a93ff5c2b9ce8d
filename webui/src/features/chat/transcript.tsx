import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../../ui/icon';
import { texts } from './texts';
import type { WantedTurn } from './wanted_turn';
import './transcript.css';

/** Closer to the end than this, the reader is following. */
const nearEndPx = 24;
/** Closer to the start than this, more of the past is fetched ahead. */
const nearStartPx = 600;
/** Below the upper edge stands what was looked for. */
const heldBelowPx = 24;

interface Props {
  children: ComponentChildren;
  follow: unknown;
  /** Brought into view once for each wish, and kept there until the reader scrolls. */
  wanted: WantedTurn | null;
  /** Called when the beginning of what is drawn comes near; null where there is no more. */
  onNearStart: (() => void) | null;
  /** Called before the reader is brought to the end by the button: what is drawn may not be it. */
  onLatest: () => void;
}

/**
 * Scrolls along with what is added at the end, until the reader scrolls up; takes it up again at
 * the end, or by the button. `follow` changing brings the reader to the end in any case.
 */
export function Transcript({ children, follow, wanted, onNearStart, onLatest }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  /** What stays in view instead of the end, as long as more is drawn around it. */
  const held = useRef<HTMLElement | null>(null);
  const brought = useRef('');
  const seen = useRef({ top: 0, height: 0, room: 0 });
  const touching = useRef(false);
  const [away, setAway] = useState(false);

  const toEnd = () => {
    const box = scroller.current;
    if (!box) return;
    pinned.current = true;
    held.current = null;
    setAway(false);
    box.scrollTop = box.scrollHeight;
    note(box);
  };

  const note = (box: HTMLDivElement) => {
    seen.current = { top: box.scrollTop, height: box.scrollHeight, room: box.clientHeight };
  };

  const letGo = () => {
    pinned.current = false;
    held.current = null;
    setAway(true);
  };

  const release = () => {
    held.current = null;
  };

  const toHeld = () => {
    const box = scroller.current;
    if (!box || !held.current) return;
    box.scrollTop += held.current.getBoundingClientRect().top - box.getBoundingClientRect().top - heldBelowPx;
    note(box);
  };

  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    // Not the reader's doing: what they do lets go of it first.
    if (held.current) return note(box);
    const left = box.scrollHeight - box.scrollTop - box.clientHeight;
    const before = seen.current;
    note(box);
    if (box.scrollTop < nearStartPx && box.scrollTop < before.top) onNearStart?.();
    // A layout that shrinks moves the position too, and is not the reader's doing.
    const still = before.height === box.scrollHeight && before.room === box.clientHeight;
    if ((still || touching.current) && box.scrollTop < before.top && left > 2) letGo();
    else if (left < nearEndPx && box.scrollTop >= before.top) {
      pinned.current = true;
      setAway(false);
    }
  };

  const onWheel = (event: WheelEvent) => {
    const box = scroller.current;
    release();
    if (box && event.deltaY < 0 && box.scrollTop > 0) letGo();
  };

  useLayoutEffect(toEnd, [follow]);

  useLayoutEffect(() => {
    if (!wanted || brought.current === wanted.wish) return;
    const turn = content.current?.querySelector<HTMLElement>(`[data-turn="${CSS.escape(wanted.turnId)}"]`);
    if (!turn) return;
    brought.current = wanted.wish;
    letGo();
    held.current = turn;
    toHeld();
    const box = scroller.current;
    setAway(box !== null && box.scrollHeight - box.scrollTop - box.clientHeight >= nearEndPx);
    // Who reads by keys or by ear is there, too.
    turn.tabIndex = -1;
    turn.focus({ preventScroll: true });
  });

  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => {
      if (pinned.current) toEnd();
      else toHeld();
    });
    if (content.current) observer.observe(content.current);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);

  return (
    <div class="transcript">
      <div class="scroller" ref={scroller} onScroll={onScroll} onWheel={onWheel}
        onTouchStart={() => { touching.current = true; release(); }}
        onPointerDown={release} onKeyDown={release}
        onTouchEnd={() => (touching.current = false)}
        tabIndex={0} role="region" aria-label={texts.chat.conversation}>
        <div class="column" ref={content}>{children}</div>
      </div>
      {away && (
        <button type="button" class="to-end" onClick={() => { onLatest(); toEnd(); }}>
          <Icon name="down" /><span>{texts.chat.latest}</span>
        </button>
      )}
    </div>
  );
}
