import { useState } from 'preact/hooks';
import { excerpt, marked } from './marked';
import { texts } from './turn_texts';

/** Longer than this, a memory is folded. */
const foldedChars = 420;
const foldedLines = 6;

interface Props {
  text: string;
  /** Marked in it, as wordsOf gives them. */
  words?: readonly string[];
}

const none: readonly string[] = [];

/** What is remembered, as it was written: whoever wrote it, it is text and nothing else. */
export function MemoryText({ text, words = none }: Props) {
  const [open, setOpen] = useState(false);
  const isLong = text.length > foldedChars || text.split('\n', foldedLines + 1).length > foldedLines;
  // Folded, an empty line tells nothing.
  const shown = isLong && !open ? excerpt(text.replace(/\n\s*\n/g, '\n'), words, foldedChars) : text;
  return (
    <>
      <p class={isLong && !open ? 'memory-text folded' : 'memory-text'} dir="auto">
        {marked(shown, words).map((piece, i) => (piece.isHit ? <mark key={i}>{piece.text}</mark> : piece.text))}
      </p>
      {isLong && (
        <button type="button" class="quiet small memory-more" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? texts.less : texts.all}
        </button>
      )}
    </>
  );
}
