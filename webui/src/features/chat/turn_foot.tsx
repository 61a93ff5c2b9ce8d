import { useEffect } from 'preact/hooks';
import { forkAt } from './fork';
import { isOver, type Answer, type Turn } from '../../kernel/session/state';
import { open } from '../../kernel/route';
import { useOffer, type Place } from '../../ui/place';
import { canSpeak, Speech } from '../speech/speech';
import { Toasts } from '../../kernel/toasts';
import { usePart, useWorkspace } from '../../ui/use_part';
import type { Workspace } from '../../kernel/workspace';
import { CopyButton } from '../../ui/copy_button';
import { FeedbackButtons } from './feedback';
import { Icon } from '../../ui/icon';
import { Menu, type MenuItem } from '../../ui/menu';
import type { TurnActions } from './turn_view';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

interface Props {
  turn: Turn;
  actions: TurnActions;
  isLast: boolean;
  canRetry: boolean;
  onEdit: () => void;
}

export function TurnFoot({ turn, actions, isLast, canRetry, onEdit }: Props) {
  const workspace = useWorkspace();
  const { places } = useOffer();
  const words = wordsOf(turn);
  const rated = turn.items.findLast((item): item is Answer => item.kind === 'answer' && item.text.text !== '');
  const failedSilently =
    turn.status === 'failed' && !turn.items.some((item) => item.kind === 'failure');
  return (
    <div class="turn-foot">
      {turn.status === 'stopped' && <span class="note">{texts.chat.stopped}</span>}
      {failedSilently && <span class="note"><Icon name="alert" />{texts.chat.failed}</span>}
      {words !== '' && <CopyButton label={t.copy} text={() => words} />}
      {canRetry && isLast && (
        <button type="button" class="quiet small" onClick={() => actions.onRetry(turn, true)}>
          <Icon name="retry" /><span>{t.retry}</span>
        </button>
      )}
      <button type="button" class="quiet small" onClick={onEdit} title={texts.turn.editHint}>
        <Icon name="pencil" /><span>{texts.turn.edit}</span>
      </button>
      {words !== '' && canSpeak && <ReadAloud turn={turn} words={words} />}
      {rated && <FeedbackButtons sessionId={actions.sessionId} answer={rated} />}
      <Menu label={texts.turn.more} items={moreFor(workspace, places, turn, actions, isLast)} small />
      <When turn={turn} model={rated?.model ?? ''} />
    </div>
  );
}

/** The hour it was asked, and the day if it was another one; all of it, and the model, on hovering. */
function When({ turn, model }: { turn: Turn; model: string }) {
  const at = new Date(turn.user?.createdAt ?? '');
  if (Number.isNaN(at.getTime())) return null;
  const today = at.toDateString() === new Date().toDateString();
  return (
    <time class="note turn-when" dateTime={at.toISOString()} title={[at.toLocaleString(), model].filter(Boolean).join(' · ')}>
      {today ? at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
        : at.toLocaleDateString([], { day: 'numeric', month: 'short', year: 'numeric' })}
    </time>
  );
}

function moreFor(workspace: Workspace, places: readonly Place[], turn: Turn, actions: TurnActions, isLast: boolean): MenuItem[] {
  const { sessionId } = actions;
  const { attempt, say } = workspace.of(Toasts);
  return [
    {
      label: texts.turn.fork, icon: 'branch',
      run: () => void attempt(async () => {
        await forkAt(workspace, sessionId, turn.lastId);
        say(texts.did.forked);
      }),
    },
    ...(isLast ? [] : [{
      label: texts.turn.retryFork, icon: 'retry' as const, run: () => actions.onRetry(turn, false),
    }]),
    ...places.flatMap(({ id, title, turnMenu }) => (turnMenu
      ? [{ label: title(), icon: turnMenu.icon, run: () => open(id, turnMenu.params(turn)) }] : [])),
  ];
}

function ReadAloud({ turn, words }: { turn: Turn; words: string }) {
  const speech = usePart(Speech);
  const isOn = speech.speaking.value === turn.id;
  useEffect(() => {
    if (isOn) speech.speak(turn.id, words, isOver(turn));
  }, [isOn, words]);
  return (
    <button type="button" class="quiet small" aria-pressed={isOn}
      onClick={() => (isOn ? speech.stop() : speech.start(turn.id))}>
      <Icon name={isOn ? 'pause' : 'speaker'} />
      <span>{isOn ? texts.turn.quiet : texts.turn.aloud}</span>
    </button>
  );
}

/** Reads an answer that is being written; its foot goes on when it is whole. */
export function SpeakAlong({ turn }: { turn: Turn }) {
  const speech = usePart(Speech);
  const words = wordsOf(turn);
  useEffect(() => speech.start(turn.id), [turn.id]);
  useEffect(() => speech.speak(turn.id, words, false), [words]);
  return null;
}

/** All that was said in the turn. */
export function wordsOf(turn: Turn): string {
  const all = turn.items.map((item) => (item.kind === 'answer' ? item.text.text : ''));
  return all.filter((text) => text !== '').join('\n\n');
}
