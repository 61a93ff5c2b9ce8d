import { memo } from 'preact/compat';
import { isOver, type Answer, type Failure, type Item, type Turn } from '../session/state';
import { CopyButton } from './copy_button';
import { failureDetail, failureTitle } from './failures';
import { Icon } from './icon';
import { Markdown } from './markdown';
import { ToolCard } from './tool_card';
import { UserBubble } from './user_bubble';

interface Props {
  turn: Turn;
  /** Its message waits while the agent answers another, or stands still. */
  waiting: boolean;
  /** The agent is at it, or about to be. */
  working: boolean;
  onRetry: (() => void) | null;
}

export const TurnView = memo(({ turn, waiting, working, onRetry }: Props) => (
  <article class="turn" data-status={turn.status}>
    {turn.user && <UserBubble text={turn.user.text} note={waiting ? 'Queued' : ''}
      look={waiting ? 'pending' : ''} />}
    {turn.items.map((item) => <ItemView key={item.kind + item.id} item={item} turn={turn} />)}
    {working && !isWriting(turn) && <Working turn={turn} />}
    {isOver(turn) && turn.user && <TurnFoot turn={turn} onRetry={onRetry} />}
  </article>
));


function ItemView({ item, turn }: { item: Item; turn: Turn }) {
  switch (item.kind) {
    case 'answer': return <AnswerView answer={item} running={turn.status === 'running'} />;
    case 'tool': return <ToolCard call={item} />;
    case 'failure': return <FailureCard failure={item} />;
  }
}

const AnswerView = memo(({ answer, running }: { answer: Answer; running: boolean }) => {
  const open = running && !answer.whole;
  const { text } = answer.text;
  const thinking = answer.thinking.text;
  return (
    <div class="answer">
      {(text !== '' || thinking !== '') && <h3 class="unseen">The agent said</h3>}
      {thinking !== '' && (
        <details class="thinking">
          <summary>
            <Icon name="chevron" />
            {open && text === '' ? 'Thinking…' : 'Thought about it'}
          </summary>
          <div class="thinking-text">{thinking}</div>
        </details>
      )}
      {text !== '' && <Markdown text={text} growing={open} />}
      {open && (answer.finish === 'interrupted' || answer.finish === 'error') && (
        <p class="note" role="status">
          <Icon name="retry" />Interrupted. The agent tries again in a moment.
        </p>
      )}
      {answer.finish === 'length' && (
        <p class="note"><Icon name="alert" />The answer reached its length limit.</p>
      )}
    </div>
  );
});

function FailureCard({ failure }: { failure: Failure }) {
  return (
    <div class="card failure" role="alert">
      <Icon name="alert" />
      <div>
        <p><strong>{failureTitle(failure.code)}</strong> {failureDetail(failure.detail)}</p>
        <p class="failure-foot">
          {failure.code && <code>{failure.code}</code>}
          {failure.requestId && (
            <CopyButton label="Copy request id" text={() => failure.requestId} />
          )}
        </p>
      </div>
    </div>
  );
}

function TurnFoot({ turn, onRetry }: { turn: Turn; onRetry: (() => void) | null }) {
  const failedSilently =
    turn.status === 'failed' && !turn.items.some((item) => item.kind === 'failure');
  if (wordsOf(turn) === '' && !onRetry && turn.status !== 'stopped' && !failedSilently) return null;
  return (
    <div class="turn-foot">
      {turn.status === 'stopped' && <span class="note">Stopped</span>}
      {failedSilently && <span class="note"><Icon name="alert" />The answer failed.</span>}
      {wordsOf(turn) !== '' && <CopyButton label="Copy" text={() => wordsOf(turn)} />}
      {onRetry && (
        <button type="button" class="quiet small" onClick={onRetry}>
          <Icon name="retry" /><span>Retry</span>
        </button>
      )}
    </div>
  );
}

function Working({ turn }: { turn: Turn }) {
  const last = turn.items.at(-1);
  const tool = last?.kind === 'tool' && last.status === 'running';
  return (
    <p class="working">
      <span class="dots" aria-hidden="true"><i /><i /><i /></span>
      <span class="unseen">{tool ? 'A tool is running' : 'Waiting for the agent'}</span>
    </p>
  );
}

/** Whether text is just being written, which shows by itself that work goes on. */
function isWriting(turn: Turn): boolean {
  const last = turn.items.at(-1);
  return last?.kind === 'answer' && !last.whole && last.finish === null && last.text.text !== '';
}

function wordsOf(turn: Turn): string {
  const texts = turn.items.map((item) => (item.kind === 'answer' ? item.text.text : ''));
  return texts.filter((text) => text !== '').join('\n\n');
}
