import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface Props<Item> {
  items: readonly Item[];
  heightOf: (item: Item) => number;
  keyOf: (item: Item) => string;
  children: (item: Item, index: number) => ComponentChildren;
  /** What scrolls; the list may be one of several things in it. */
  scroller: RefObject<HTMLElement>;
  /** Called when the end comes near. */
  onNearEnd: () => void;
  /** Brought into view when it changes. */
  shown: string | null;
}

const marginPx = 400;
const nearEndPx = 1_200;

/** Draws the part of a long list that is in view, and the room that the rest would take. */
export function VirtualList<Item>(props: Props<Item>) {
  const { items, heightOf, keyOf, children, scroller, onNearEnd, shown } = props;
  const [view, setView] = useState({ top: 0, height: 1_000 });
  const box = useRef<HTMLUListElement>(null);
  const tops = [0];
  for (const item of items) tops.push((tops.at(-1) as number) + heightOf(item));
  const whole = tops.at(-1) as number;

  const look = () => {
    const outer = scroller.current;
    if (!outer || !box.current) return;
    const top = Math.max(0, outer.scrollTop - box.current.offsetTop);
    // A step of scrolling that changes nothing costs nothing.
    const step = Math.floor(top / 100) * 100;
    setView((was) => was.top === step && was.height === outer.clientHeight
      ? was : { top: step, height: outer.clientHeight });
  };

  useLayoutEffect(() => {
    const outer = scroller.current;
    if (!outer) return;
    look();
    const observer = new ResizeObserver(look);
    observer.observe(outer);
    outer.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      outer.removeEventListener('scroll', look);
    };
  }, []);

  useLayoutEffect(() => {
    if (whole - view.top - view.height < nearEndPx) onNearEnd();
  }, [view.top, view.height, whole]);

  useLayoutEffect(() => {
    const outer = scroller.current;
    const at = shown === null ? -1 : items.findIndex((item) => keyOf(item) === shown);
    if (!outer || !box.current || at < 0) return;
    const top = (tops[at] as number) + box.current.offsetTop;
    const bottom = top + heightOf(items[at] as Item);
    if (top >= outer.scrollTop && bottom <= outer.scrollTop + outer.clientHeight) return;
    outer.scrollTop = Math.max(0, top - outer.clientHeight / 3);
  }, [shown]);

  const first = indexAt(tops, view.top - marginPx);
  const end = Math.min(items.length, indexAt(tops, view.top + view.height + marginPx) + 1);
  return (
    <ul ref={box} style={{ paddingTop: tops[first], paddingBottom: whole - (tops[end] as number) }}>
      {items.slice(first, end).map((item, i) => children(item, first + i))}
    </ul>
  );
}

/** The last index whose top is not below `y`. */
function indexAt(tops: readonly number[], y: number): number {
  let low = 0;
  let high = tops.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((tops[middle] as number) <= y) low = middle;
    else high = middle - 1;
  }
  return Math.min(low, Math.max(0, tops.length - 2));
}
