import { useEffect, useRef, useState } from 'preact/hooks';
import { commentCharsMax, feedbackTags, giveFeedback } from './give_feedback';
import type { Answer, Feedback, Rating } from '../../kernel/session/state';
import { Toasts } from '../../kernel/toasts';
import { usePart, useWorkspace } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';
import './feedback.css';

interface Props {
  sessionId: string;
  answer: Answer;
}

const ratings: readonly Rating[] = ['helpful', 'not_helpful'];

/** Whether an answer was helpful: told at once by one press, and in more words by those who like. */
export function FeedbackButtons({ sessionId, answer }: Props) {
  const { attempt, say } = usePart(Toasts);
  const who = useWorkspace().identity.value.user_id;
  const said = answer.feedback[who];
  /** What the buttons show until the event is here. */
  const [wish, setWish] = useState<Rating | null>(null);
  const [open, setOpen] = useState(false);
  const pressed = useRef<HTMLButtonElement | null>(null);
  const shown = wish ?? said?.rating;
  useEffect(() => setWish(null), [said]);

  const give = async (next: Feedback) => {
    setWish(next.rating);
    const done = await attempt(() => giveFeedback(sessionId, answer.id, next));
    if (!done) setWish(null);
    return done;
  };
  const press = (rating: Rating, button: HTMLButtonElement) => {
    pressed.current = button;
    if (rating === shown) return setOpen(!open);
    setOpen(true);
    void give({ rating, tags: [], comment: '' });
  };
  const close = () => {
    setOpen(false);
    pressed.current?.focus();
  };
  return (
    <>
      {ratings.map((rating) => (
        <button key={rating} type="button" class="quiet small thumb" aria-pressed={shown === rating}
          aria-label={texts.feedback[rating]} title={texts.feedback[rating]}
          aria-expanded={open && shown === rating}
          onKeyDown={(event) => {
            if (event.key !== 'Escape' || !open) return;
            event.preventDefault();
            event.stopPropagation();
            close();
          }}
          onClick={(event) => press(rating, event.currentTarget)}>
          <Icon name={rating === 'helpful' ? 'thumbUp' : 'thumbDown'} />
        </button>
      ))}
      {open && shown && (
        <FeedbackForm key={shown} rating={shown} said={said?.rating === shown ? said : undefined}
          onClose={close}
          onSend={async (next) => {
            if (!(await give(next))) return;
            close();
            say(texts.feedback.kept);
          }} />
      )}
    </>
  );
}

interface FormProps {
  rating: Rating;
  said: Feedback | undefined;
  onSend: (next: Feedback) => Promise<void>;
  onClose: () => void;
}

function FeedbackForm({ rating, said, onSend, onClose }: FormProps) {
  const [tags, setTags] = useState<readonly string[]>(said?.tags ?? []);
  const [comment, setComment] = useState(said?.comment ?? '');
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    await onSend({ rating, tags, comment: comment.trim() });
    setBusy(false);
  };
  const flip = (tag: string) =>
    setTags(tags.includes(tag) ? tags.filter((other) => other !== tag) : [...tags, tag]);
  return (
    <form class="feedback card" aria-label={texts.feedback[rating]} onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.isComposing) return;
        event.preventDefault();
        event.stopPropagation();
        onClose();
      }}>
      <fieldset>
        <legend>{texts.feedback.thanks}</legend>
        {feedbackTags[rating].map((tag) => (
          <label key={tag} class="chip">
            <input type="checkbox" checked={tags.includes(tag)} onChange={() => flip(tag)} />
            <span>{texts.feedback.tags[tag] ?? tag}</span>
          </label>
        ))}
      </fieldset>
      <textarea rows={2} dir="auto" value={comment} maxLength={commentCharsMax} aria-label={texts.feedback.comment}
        placeholder={texts.feedback.comment} onInput={(event) => setComment(event.currentTarget.value)} />
      <div class="dialog-foot">
        <button type="button" class="small" onClick={onClose}>{t.close}</button>
        <button type="submit" class="small primary"
          disabled={busy || (tags.length === 0 && comment.trim() === '')}>{t.send}</button>
      </div>
    </form>
  );
}
