import { request } from '../../kernel/api/http';
import type { ContextWindow } from '../../kernel/api/types';
import type { PlaceProps } from '../../ui/place';
import { Problem } from '../../ui/problem';
import { Dialog, Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { texts } from './texts';
import { titles } from './titles';
import './log.css';

type Part = ContextWindow['parts'][number];

/** Exactly what the model would be sent, and how full that makes it. */
export function ContextModal({ sessionId, onClose }: PlaceProps<string>) {
  const path = `sessions/${encodeURIComponent(sessionId)}/context-window`;
  const [read, again] = useRead(() => request<ContextWindow>(path));
  return (
    <Dialog title={titles.context} onClose={onClose}>
      {read.is === 'reading' && <Loading />}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      {read.is === 'read' && <Window window={read.value} />}
    </Dialog>
  );
}

function Window({ window: { parts, tokens, context_window: room } }: { window: ContextWindow }) {
  return (
    <>
      <p class="settings-hint">{texts.context.about(tokens, room)}</p>
      <svg class="token-bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
        <Bars parts={parts} of={Math.max(tokens, 1)} />
      </svg>
      {room > 0 && <meter class="token-room" max={room} value={tokens} high={room * 0.8}
        aria-label={texts.context.full} />}
      <ul class="token-key">
        {roles.map((role) => {
          const sum = sumOf(parts.filter((part) => part.role === role));
          return sum > 0 && (
            <li key={role}><i data-role={role} />{texts.context.role[role]}: {texts.context.tokens(sum)}</li>
          );
        })}
      </ul>
      {parts.map((part, i) => (
        <details key={i} class="card part" data-role={part.role}>
          <summary>
            <strong>{nameOf(part)}</strong>
            <span class="tool-gist" dir="auto">{part.text.replace(/\s+/g, ' ').slice(0, 120)}</span>
            <span class="tool-status">{texts.context.tokens(part.tokens)}</span>
          </summary>
          <pre tabIndex={0} dir="auto" aria-label={nameOf(part)}>{part.text}</pre>
        </details>
      ))}
    </>
  );
}

/** What is remembered is told to the model by the system, and is not the system's. */
function nameOf({ kind, role }: Part): string {
  return kind === 'memory' ? texts.context.memory : texts.context.role[role];
}

const roles = ['system', 'user', 'assistant', 'tool'] as const;

function Bars({ parts, of }: { parts: readonly Part[]; of: number }) {
  let x = 0;
  return (
    <>
      {parts.map((part, i) => {
        const width = (1000 * part.tokens) / of;
        const bar = <rect key={i} data-role={part.role} x={x} y="0" width={width} height="10" />;
        x += width;
        return bar;
      })}
    </>
  );
}

function sumOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + part.tokens, 0);
}
