import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon';

/** Closer to the end than this, the reader is following. */
const nearEndPx = 24;

/**
 * Scrolls along with what is added at the end, until the reader scrolls up; takes it up again at
 * the end, or by the button. `follow` changing brings the reader to the end in any case.
 */
export function Transcript({ children, follow }: { children: ComponentChildren; follow: unknown }) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const lastTop = useRef(0);
  const [away, setAway] = useState(false);

  const toEnd = () => {
    const box = scroller.current;
    if (!box) return;
    pinned.current = true;
    setAway(false);
    box.scrollTop = box.scrollHeight;
    lastTop.current = box.scrollTop;
  };

  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    const left = box.scrollHeight - box.scrollTop - box.clientHeight;
    const upwards = box.scrollTop < lastTop.current;
    lastTop.current = box.scrollTop;
    if (upwards && left > 2) pinned.current = false;
    else if (left < nearEndPx) pinned.current = true;
    setAway(!pinned.current);
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
      <div class="scroller" ref={scroller} onScroll={onScroll} tabIndex={0} role="region"
        aria-label="Conversation">
        <div class="column" ref={content}>{children}</div>
      </div>
      {away && (
        <button type="button" class="to-end" onClick={toEnd}>
          <Icon name="down" /><span>Latest</span>
        </button>
      )}
    </div>
  );
}
