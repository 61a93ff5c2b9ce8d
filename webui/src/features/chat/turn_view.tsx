import { memo } from 'preact/compat';
import { useState } from 'preact/hooks';
import { sendInFork } from './fork';
import { readThoughts } from '../../kernel/session/thoughts';
import { isOver, type Answer, type AttachmentRef, type Failure, type Item, type Turn } from '../../kernel/session/state';
import { canSpeak } from '../speech/speech';
import { speechSettings } from '../speech/speech_settings';
import { Toasts } from '../../kernel/toasts';
import { useWorkspace } from '../../ui/use_part';
import { RecalledView } from '../memory/recalled';
import { CopyButton } from '../../ui/copy_button';
import { EditMessage } from './edit_message';
import { failureDetail, failureTitle } from './failures';
import { Icon } from '../../ui/icon';
import { Markdown } from '../../ui/markdown/markdown';
import { Thoughts } from './thoughts';
import { ToolCard } from './tool_card';
import { SpeakAlong, TurnFoot } from './turn_foot';
import { UserBubble } from './user_bubble';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

/** What a turn's buttons do; the same object for all turns of a chat. */
export interface TurnActions {
  readonly sessionId: string;
  readonly onRetry: (turn: Turn, isLast: boolean) => void;
  readonly onStopCall: (toolCallId: string) => void;
}

interface Props {
  turn: Turn;
  /** Null where the past is only looked at. */
  actions: TurnActions | null;
  /** Its message waits while the agent answers another, or stands still. */
  waiting: boolean;
  /** The agent is at it, or about to be. */
  working: boolean;
  isLast: boolean;
  canRetry: boolean;
  /** It is the one that was looked for. */
  isWanted?: boolean;
}

export const TurnView = memo((props: Props) => {
  const { turn, actions, waiting, working } = props;
  const workspace = useWorkspace();
  const [editing, setEditing] = useState(false);
  const onStop = actions?.onStopCall ?? null;
  return (
    <article class="turn" data-status={turn.status} data-turn={turn.id} data-wanted={props.isWanted ?? false}>
      {turn.user && editing && actions ? (
        <EditMessage text={turn.user.text} onCancel={() => setEditing(false)}
          onSend={(text) => {
            setEditing(false);
            void workspace.of(Toasts).attempt(() => sendInFork(workspace, actions.sessionId, turn, text));
          }} />
      ) : turn.user && (
        <UserBubble text={turn.user.text} files={turn.user.attachments} note={waiting ? texts.chat.queued : ''}
          look={waiting ? 'pending' : ''} />
      )}
      {turn.recalled && <RecalledView recalled={turn.recalled} canForget={actions !== null} />}
      {turn.items.map((item) => (
        <ItemView key={item.kind + item.id} item={item} turn={turn} onStop={onStop}
          sessionId={actions?.sessionId ?? null} />
      ))}
      {working && !isWriting(turn) && <Working turn={turn} />}
      {working && actions && canSpeak && speechSettings.value.aloud === 'always' && <SpeakAlong turn={turn} />}
      {actions && turn.user && isOver(turn) && (
        <TurnFoot turn={turn} actions={actions} isLast={props.isLast} canRetry={props.canRetry}
          onEdit={() => setEditing(true)} />
      )}
    </article>
  );
});

const none: readonly AttachmentRef[] = [];

interface ItemProps {
  item: Item;
  turn: Turn;
  onStop: ((id: string) => void) | null;
  sessionId: string | null;
}

function ItemView({ item, turn, onStop, sessionId }: ItemProps) {
  switch (item.kind) {
    case 'answer': return (
      <AnswerView answer={item} running={turn.status === 'running'} turn={turn} sessionId={sessionId} />
    );
    case 'tool': return (
      <ToolCard call={item} sessionId={sessionId} files={turn.user?.attachments ?? none} onStop={onStop} />
    );
    case 'failure': return <FailureCard failure={item} />;
  }
}

interface AnswerProps {
  answer: Answer;
  running: boolean;
  turn: Turn;
  sessionId: string | null;
}

const AnswerView = memo(({ answer, running, turn, sessionId }: AnswerProps) => {
  const open = running && !answer.whole;
  const { text } = answer.text;
  const thinking = answer.thinking.text;
  const load = sessionId === null ? null : () => readThoughts(sessionId, turn, answer.id);
  return (
    <div class="answer">
      {(text !== '' || thinking !== '') && <h2 class="unseen">{texts.chat.agentSaid}</h2>}
      {answer.instruction === 'summarize' && <p class="note"><Icon name="book" />{texts.chat.summary}</p>}
      {(thinking !== '' || (answer.thought && !open)) && (
        <Thoughts text={thinking} label={open && text === '' ? texts.chat.thinking : texts.chat.thought}
          load={load} />
      )}
      {text !== '' && <Markdown text={text} growing={open} />}
      {open && (answer.finish === 'interrupted' || answer.finish === 'error') && (
        <p class="note" role="status"><Icon name="retry" />{texts.chat.interrupted}</p>
      )}
      {answer.finish === 'length' && <p class="note"><Icon name="alert" />{texts.chat.lengthLimit}</p>}
    </div>
  );
}, (before, after) => before.answer === after.answer && before.running === after.running);

function FailureCard({ failure }: { failure: Failure }) {
  const { code, detail, rule } = failure;
  return (
    <div class="card failure" role="alert" data-rule={rule}>
      <Icon name={rule === 'egress.pii' ? 'lock' : 'alert'} />
      <div>
        <p><strong>{failureTitle(code, rule)}</strong> {failureDetail(detail, rule)}</p>
        <p class="failure-foot">
          {code && <code>{code}</code>}
          {rule && <span>{texts.tool.rule} <code>{rule}</code></span>}
          {failure.requestId && (
            <CopyButton label={t.copyRequestId} text={() => failure.requestId} />
          )}
        </p>
      </div>
    </div>
  );
}

function Working({ turn }: { turn: Turn }) {
  const last = turn.items.at(-1);
  const tool = last?.kind === 'tool' && last.status === 'running';
  return (
    <p class="working">
      <span class="dots" aria-hidden="true"><i /><i /><i /></span>
      <span class="unseen">{tool ? texts.chat.toolRuns : texts.chat.waitingForAgent}</span>
    </p>
  );
}

/** Whether text is just being written, which shows by itself that work goes on. */
function isWriting(turn: Turn): boolean {
  const last = turn.items.at(-1);
  return last?.kind === 'answer' && !last.whole && last.finish === null && last.text.text !== '';
}
