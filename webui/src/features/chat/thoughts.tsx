import { useEffect, useRef, useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { appearance } from '../appearance/theme';
import { Icon } from '../../ui/icon';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

interface Props {
  /** As far as it is here. */
  text: string;
  label: string;
  /** Reads what is not here; null where there is nothing to read it from. */
  load: (() => Promise<string>) | null;
}

type Loaded =
  | { readonly is: 'not yet' | 'reading' }
  | { readonly is: 'read'; readonly text: string }
  | { readonly is: 'failed'; readonly problem: string };

/** What a model thought: folded, and read from the log when it is unfolded and not here. */
export function Thoughts({ text, label, load }: Props) {
  const wantsOpen = appearance.value.thinking === 'open';
  const [open, setOpen] = useState(wantsOpen);
  const [loaded, setLoaded] = useState<Loaded>({ is: 'not yet' });
  const box = useRef<HTMLDetailsElement>(null);
  const isMissing = text === '' && load !== null;
  useEffect(() => setOpen(wantsOpen), [wantsOpen]);

  const read = async () => {
    if (!load) return;
    setLoaded({ is: 'reading' });
    try {
      setLoaded({ is: 'read', text: await load() });
    } catch (error) {
      setLoaded({ is: 'failed', problem: sentence(error) });
    }
  };
  useEffect(() => {
    const place = box.current;
    if (!open || !isMissing || loaded.is !== 'not yet' || !place) return;
    // Where all stand open, only those that are looked at are read.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      void read();
    });
    seen.observe(place);
    return () => seen.disconnect();
  }, [open, isMissing, loaded]);
  return (
    <details ref={box} class="thinking" open={open}>
      <summary onClick={(event) => { event.preventDefault(); setOpen(!open); }}>
        <Icon name="chevron" />{label}
      </summary>
      {open && isMissing ? <Missing loaded={loaded} onRetry={() => void read()} />
        : <div class="thinking-text" dir="auto">{text}</div>}
    </details>
  );
}

function Missing({ loaded, onRetry }: { loaded: Loaded; onRetry: () => void }) {
  switch (loaded.is) {
    case 'read':
      return loaded.text === '' ? <p class="thinking-text note">{texts.chat.thoughtUntold}</p>
        : <div class="thinking-text" dir="auto">{loaded.text}</div>;
    case 'failed':
      return (
        <p class="thinking-text note" role="alert">
          {loaded.problem} <button type="button" class="link" onClick={onRetry}>{t.tryAgain}</button>
        </p>
      );
    default:
      return <p class="thinking-text note" role="status">{texts.chat.readingThoughts}</p>;
  }
}
