import { memo } from 'preact/compat';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { attachmentUrl } from '../files/attachment_url';
import { sizeText } from '../files/size';
import { WorkFolder } from '../files/workdir';
import { filesIn } from '../../kernel/session/payload';
import type { AttachmentRef, ToolCall } from '../../kernel/session/state';
import {
  failedOf, plainOf, programOf, terminalOf, type Failed, type Terminal, type WorkFile,
} from '../../kernel/session/tool_view';
import { CodeBlock } from '../../ui/markdown/code_block';
import { CopyButton } from '../../ui/copy_button';
import { failureDetail, failureTitle } from './failures';
import { Icon, StopIcon } from '../../ui/icon';
import { texts } from './texts';
import { texts as filesTexts } from '../files/texts';
import { t } from '../../kernel/texts/texts';
import './tool_card.css';

interface Props {
  call: ToolCall;
  /** Whose work folder it ran in; null where the past is only looked at. */
  sessionId: string | null;
  /** Of the message that the call is for: they are known by their names. */
  files: readonly AttachmentRef[];
  onStop: ((toolCallId: string) => void) | null;
}

/** One call of a tool: open while it says something and where it did not work, folded when it is done. */
export const ToolCard = memo(({ call, sessionId, files, onStop }: Props) => {
  const isRunning = call.status === 'running';
  const failed = failedOf(call);
  // Until the reader folds or unfolds it, a card does so by itself.
  const [wish, setWish] = useState<boolean | null>(null);
  const open = wish ?? ((isRunning && call.progress !== '') || failed !== null);
  return (
    <details class="card tool" data-status={call.status} data-failed={failed !== null} open={open}>
      <summary onClick={(event) => { event.preventDefault(); setWish(!open); }}>
        <Icon name="tool" />
        <span class="tool-name">{call.toolId.replaceAll('_', ' ')}</span>
        <span class={failed?.why ? 'tool-gist why' : 'tool-gist'} dir="auto">
          {deniedBecause(call) || failed?.why || gist(call.inputs, files)}
        </span>
        <span class="tool-status">
          {said(call, failed)}{isRunning ? <Since at={call.startedAt} /> : took(call.durationMs)}
        </span>
        <Icon name="chevron" />
      </summary>
      {isRunning && onStop && (
        <button type="button" class="small tool-stop" onClick={() => onStop(call.id)}>
          <StopIcon /><span>{texts.tool.stop}</span>
        </button>
      )}
      {open && <Body call={call} sessionId={sessionId} />}
    </details>
  );
});

/** The reason that policy gives, in a sentence; '' of a call that was not denied. */
function deniedBecause(call: ToolCall): string {
  return call.status === 'denied' ? failureDetail(call.error, call.rule) : '';
}

function said(call: ToolCall, failed: Failed | null): string {
  if (failed?.exitCode) return texts.tool.exit(failed.exitCode);
  return (texts.tool.status as Record<string, string>)[call.status] ?? call.status;
}

/** Code as code and output as a terminal has it; as JSON when it is asked for. */
function Body({ call, sessionId }: { call: ToolCall; sessionId: string | null }) {
  const [raw, setRaw] = useState(false);
  const program = programOf(call.inputs);
  const terminal = terminalOf(call.output);
  const plain = terminal ? null : plainOf(call.output);
  const hasRaw = program !== null || terminal !== null || (plain !== null && typeof call.output !== 'string');
  const isOver = call.status !== 'running';
  const error = [call.error, call.errorCode && `(${call.errorCode})`].filter(Boolean).join(' ');
  return (
    <div class="tool-body">
      {hasRaw && (
        <button type="button" class="quiet small tool-raw" aria-pressed={raw} title={texts.tool.rawHint}
          onClick={() => setRaw(!raw)}>{texts.tool.raw}</button>
      )}
      <dl>
        {call.status === 'denied' && (
          <>
            <dt>{texts.tool.denied}</dt>
            <dd>
              {failureTitle('policy.denied', call.rule)} {deniedBecause(call)}
              {call.rule && <> {texts.tool.rule} <code>{call.rule}</code>.</>}
            </dd>
          </>
        )}
        {program && !raw ? (
          <>
            <dt>{texts.tool.program}</dt>
            <dd><CodeBlock language={program.language} code={program.code} /></dd>
            <Part name={texts.tool.stdin} text={program.stdin} />
          </>
        ) : <Part name={texts.tool.inputs} text={pretty(call.inputs)} />}
        {/* What came while it ran is all there is of a call that did not come to its end. */}
        {(!isOver || (terminal === null && call.output === undefined)) && (
          <Part name={isOver ? texts.tool.terminal : texts.tool.progress} text={call.progress} follow={!isOver} />
        )}
        {call.status !== 'denied' && <Part name={texts.tool.error} text={error} />}
        {terminal && !raw ? <TerminalPart terminal={terminal} /> : call.output !== undefined && (
          <Part name={texts.tool.output} text={plain !== null && !raw ? plain : pretty(call.output)} />
        )}
        <Files ids={filesIn(call.output)} left={terminal?.files ?? []} sessionId={sessionId} />
      </dl>
    </div>
  );
}

function TerminalPart({ terminal: { stdout, stderr, exitCode, truncated } }: { terminal: Terminal }) {
  const both = [stdout, stderr].filter(Boolean).join(stdout.endsWith('\n') ? '' : '\n');
  return (
    <>
      <dt>{texts.tool.terminal}</dt>
      <dd class="terminal">
        {both === '' ? <p class="note">{texts.tool.silent}</p> : (
          <>
            <pre tabIndex={0} role="region" aria-label={texts.tool.terminal}>
              {stdout}{stdout !== '' && stderr !== '' && !stdout.endsWith('\n') && '\n'}
              {stderr !== '' && <span class="stderr">{stderr}</span>}
            </pre>
            <CopyButton label={t.copy} text={() => both} />
          </>
        )}
        {truncated && <p class="note">{texts.tool.cut}</p>}
        {exitCode !== null && exitCode !== 0 && <p class="note exit">{texts.tool.ended(exitCode)}</p>}
      </dd>
    </>
  );
}

interface FilesProps {
  ids: readonly string[];
  left: readonly WorkFile[];
  sessionId: string | null;
}

/** What the call left behind: kept whole, or in the work folder. */
function Files({ ids, left, sessionId }: FilesProps) {
  if (ids.length === 0 && left.length === 0) return null;
  const folder = sessionId === null ? null : new WorkFolder(sessionId);
  return (
    <>
      <dt>{texts.tool.files}</dt>
      <dd class="tool-files">
        {ids.map((id) => (
          <a key={id} class="attached" href={attachmentUrl(id)} target="_blank" rel="noopener">
            <Icon name="file" /><span>{filesTexts.file(id.slice(0, 8))}</span>
          </a>
        ))}
        {left.map(({ path, sizeBytes }) => (
          <a key={path} class="attached" href={folder?.downloadUrl(path)} target="_blank" rel="noopener">
            <Icon name="file" /><span dir="auto">{path}</span><small>{sizeText(sizeBytes)}</small>
          </a>
        ))}
      </dd>
    </>
  );
}

function Part({ name, text, follow = false }: { name: string; text: string; follow?: boolean }) {
  const box = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    if (follow && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text, follow]);
  if (text === '') return null;
  return (
    <>
      <dt>{name}</dt>
      <dd><pre ref={box} tabIndex={0} aria-label={name}>{text}</pre></dd>
    </>
  );
}

/** How long it has been running, a second at a time. */
function Since({ at }: { at: string }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const ms = now - Date.parse(at);
  return ms >= 1_000 ? <> · {texts.tool.seconds(Math.floor(ms / 1_000).toString())}</> : null;
}

function took(ms: number | null): string {
  if (ms === null) return '';
  return ` · ${ms < 1_000 ? texts.tool.ms(ms) : texts.tool.seconds((ms / 1_000).toFixed(1))}`;
}

/** The inputs in a few words: a folded card should not need opening to be understood. */
function gist(inputs: unknown, files: readonly AttachmentRef[]): string {
  if (typeof inputs !== 'object' || inputs === null) return '';
  const values = Object.values(inputs).filter((value) => value !== null && value !== '');
  const words = values.map((value) => {
    if (typeof value !== 'string') return JSON.stringify(value);
    return files.find((file) => file.id === value)?.filename || value;
  });
  return words.join(' · ').replace(/\s+/g, ' ').slice(0, 120);
}

function pretty(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? '';
}
