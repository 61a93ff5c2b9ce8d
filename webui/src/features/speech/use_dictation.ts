import type { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Dictation, dictationLanguage, recognizer, recognizerClass, type Place } from './dictation';
import { open } from '../../kernel/route';
import { Toasts } from '../../kernel/toasts';
import { usePart } from '../../ui/use_part';
import { texts } from './texts';

export interface Dictating {
  readonly offered: boolean;
  readonly listening: boolean;
  /** Begins, or leads to where it can be allowed. */
  start(): void;
  /** What was said last may still come. */
  stop(): void;
  /** Nothing more comes: the text was sent. */
  end(): void;
  /** The reader typed: what was heard is text like any other now. */
  typed(): void;
}

/** Dictation into a text area. `chat` changing ends it. */
export function useDictation(
  area: RefObject<HTMLTextAreaElement>, chat: string, onText: (text: string) => void,
): Dictating {
  const { attempt, say } = usePart(Toasts);
  const running = useRef<Dictation | null>(null);
  const tell = useRef(onText);
  tell.current = onText;
  const [listening, setListening] = useState(false);
  const end = () => {
    running.current?.abort();
    running.current = null;
    setListening(false);
  };
  useLayoutEffect(() => end, [chat]);

  const begin = async () => {
    const by = await recognizer();
    const box = area.current;
    if (!box || running.current) return;
    if (!by) return open('speech');
    const mine = new Dictation(by, placeIn(box), (text, caret) => {
      tell.current(text);
      requestAnimationFrame(() => area.current?.setSelectionRange(caret, caret));
    }, (error) => {
      if (running.current !== mine) return;
      running.current = null;
      setListening(false);
      if (error !== '') say(trouble(error), { look: 'bad' });
    });
    running.current = mine;
    setListening(true);
    box.focus();
  };
  return {
    offered: recognizerClass() !== null,
    listening,
    start: () => void attempt(begin),
    stop: () => running.current?.stop(),
    end,
    typed: () => area.current && running.current?.moveTo(placeIn(area.current)),
  };
}

function placeIn({ value, selectionStart, selectionEnd }: HTMLTextAreaElement): Place {
  return { before: value.slice(0, selectionStart), after: value.slice(selectionEnd) };
}

function trouble(error: string): string {
  if (error === 'language-not-supported') return texts.noLanguage(dictationLanguage());
  return texts.trouble[error] ?? texts.failed;
}
