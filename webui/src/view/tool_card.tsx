import { memo } from 'preact/compat';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { attachmentUrl } from '../files/attachment_url';
import { filesIn, isRecord } from '../session/payload';
import type { AttachmentRef, ToolCall } from '../session/state';
import { t } from '../texts/texts';
import { failureTitle } from './failures';
import { Icon, StopIcon } from './icon';

interface Props {
  call: ToolCall;
  /** Of the message that the call is for: they are known by their names. */
  files: readonly AttachmentRef[];
  onStop: ((toolCallId: string) => void) | null;
}

/** One call of a tool: open while it runs and where it did not work, folded when it is done. */
export const ToolCard = memo(({ call, files, onStop }: Props) => {
  const isRunning = call.status === 'running';
  // Until the reader folds or unfolds it, a card does so by itself.
  const [wish, setWish] = useState<boolean | null>(null);
  const open = wish ?? (isRunning && call.progress !== '');
  const said = (t.tool.status as Record<string, string>)[call.status] ?? call.status;
  return (
    <details class="card tool" data-status={call.status} open={open}>
      <summary onClick={(event) => { event.preventDefault(); setWish(!open); }}>
        <Icon name="tool" />
        <span class="tool-name">{call.toolId.replaceAll('_', ' ')}</span>
        <span class="tool-gist">{gist(call.inputs, files)}</span>
        <span class="tool-status">
          {said}{isRunning ? <Since at={call.startedAt} /> : took(call.durationMs)}
        </span>
        <Icon name="chevron" />
      </summary>
      {isRunning && onStop && (
        <button type="button" class="small tool-stop" onClick={() => onStop(call.id)}>
          <StopIcon /><span>{t.tool.stop}</span>
        </button>
      )}
      <dl>
        {call.status === 'denied' && (
          <>
            <dt>{t.tool.denied}</dt>
            <dd>
              {failureTitle('policy.denied')}
              {call.rule && <> {t.tool.rule} <code>{call.rule}</code>.</>}
            </dd>
          </>
        )}
        <Part name={t.tool.inputs} text={pretty(call.inputs)} />
        <Part name={t.tool.progress} text={call.progress} follow={isRunning} />
        <Part name={t.tool.error} text={[call.error, call.errorCode && `(${call.errorCode})`].filter(Boolean).join(' ')} />
        {call.output !== undefined && <Part name={t.tool.output} text={textOf(call.output)} />}
        <Files ids={filesIn(call.output)} />
      </dl>
    </details>
  );
});

/** What the call left behind. */
function Files({ ids }: { ids: readonly string[] }) {
  if (ids.length === 0) return null;
  return (
    <>
      <dt>{t.tool.files}</dt>
      {ids.map((id) => (
        <dd key={id}>
          <a href={attachmentUrl(id)} target="_blank" rel="noopener">{t.tool.file(id.slice(0, 8))}</a>
        </dd>
      ))}
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
  return ms >= 1_000 ? <> · {t.tool.seconds(Math.floor(ms / 1_000).toString())}</> : null;
}

function took(ms: number | null): string {
  if (ms === null) return '';
  return ` · ${ms < 1_000 ? t.tool.ms(ms) : t.tool.seconds((ms / 1_000).toFixed(1))}`;
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

/** An output that was cut is told by its text; the whole is among its files. */
function textOf(output: unknown): string {
  if (isRecord(output) && output.truncated === true && typeof output.text === 'string') {
    return `${output.text}…`;
  }
  return pretty(output);
}

function pretty(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? '';
}
