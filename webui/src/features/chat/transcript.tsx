import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../../ui/icon';
import { texts } from './texts';
import './transcript.css';

/** Closer to the end than this, the reader is following. */
const nearEndPx = 24;
/** Closer to the start than this, more of the past is fetched ahead. */
const nearStartPx = 600;

/**
 * Scrolls along with what is added at the end, until the reader scrolls up; takes it up again at
 * the end, or by the button. `follow` changing brings the reader to the end in any case.
 */
interface Props {
  children: ComponentChildren;
  follow: unknown;
  /** Called when the beginning of what is drawn comes near; null where there is no more. */
  onNearStart: (() => void) | null;
}

export function Transcript({ children, follow, onNearStart }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const seen = useRef({ top: 0, height: 0, room: 0 });
  const touching = useRef(false);
  const [away, setAway] = useState(false);

  const toEnd = () => {
    const box = scroller.current;
    if (!box) return;
    pinned.current = true;
    setAway(false);
    box.scrollTop = box.scrollHeight;
    note(box);
  };

  const note = (box: HTMLDivElement) => {
    seen.current = { top: box.scrollTop, height: box.scrollHeight, room: box.clientHeight };
  };

  const letGo = () => {
    pinned.current = false;
    setAway(true);
  };

  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
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
    if (box && event.deltaY < 0 && box.scrollTop > 0) letGo();
  };

  useLayoutEffect(toEnd, [follow]);

  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => {
      if (pinned.current) toEnd();
    });
    if (content.current) observer.observe(content.current);
    if (scroller.current) observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);

  return (
    <div class="transcript">
      <div class="scroller" ref={scroller} onScroll={onScroll} onWheel={onWheel}
        onTouchStart={() => (touching.current = true)}
        onTouchEnd={() => (touching.current = false)}
        tabIndex={0} role="region" aria-label={texts.chat.conversation}>
        <div class="column" ref={content}>{children}</div>
      </div>
      {away && (
        <button type="button" class="to-end" onClick={toEnd}>
          <Icon name="down" /><span>{texts.chat.latest}</span>
        </button>
      )}
    </div>
  );
}
