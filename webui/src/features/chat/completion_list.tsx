import type { Completion } from './commands';
import { texts } from './texts';

interface Props {
  offered: readonly Completion[];
  at: number;
  onTake: (completion: Completion) => void;
}

export const completionId = (at: number) => `completion-${at}`;

/** What a text that begins with `/` may become. The keys are the text box's. */
export function CompletionList({ offered, at, onTake }: Props) {
  return (
    <ul class="completions" id="completions" role="listbox" tabIndex={-1}
      aria-label={texts.commandsTitle}>
      {offered.map((completion, i) => (
        <li key={completion.text} id={completionId(i)} role="option" aria-selected={i === at}
          onPointerDown={(event) => { event.preventDefault(); onTake(completion); }}>
          <code>{completion.text}</code><span>{completion.hint}</span>
        </li>
      ))}
    </ul>
  );
}
