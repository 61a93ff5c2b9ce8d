import { memo } from 'preact/compat';
import type { ToolCall } from '../session/state';
import { Icon } from './icon';

const said: Record<string, string> = {
  running: 'running',
  success: 'done',
  error: 'failed',
  denied: 'not allowed',
  timeout: 'took too long',
  cancelled: 'stopped',
  interrupted: 'interrupted',
};

export const ToolCard = memo(({ call }: { call: ToolCall }) => (
  <details class="card tool" data-status={call.status}>
    <summary>
      <Icon name="tool" />
      <span class="tool-name">{call.toolId.replaceAll('_', ' ')}</span>
      <span class="tool-gist">{gist(call.inputs)}</span>
      <span class="tool-status">{said[call.status] ?? call.status}{took(call)}</span>
      <Icon name="chevron" />
    </summary>
    <dl>
      <dt>Asked with</dt>
      <dd><pre tabIndex={0}>{pretty(call.inputs)}</pre></dd>
      {call.progress !== '' && <>
        <dt>Progress</dt>
        <dd><pre tabIndex={0}>{call.progress}</pre></dd>
      </>}
      {call.error !== '' && <>
        <dt>Error</dt>
        <dd><pre tabIndex={0}>{call.error}</pre></dd>
      </>}
      {call.output !== undefined && <>
        <dt>Result</dt>
        <dd><pre tabIndex={0}>{pretty(call.output)}</pre></dd>
      </>}
    </dl>
  </details>
));

function took(call: ToolCall): string {
  if (call.durationMs === null) return '';
  return call.durationMs < 1000
    ? ` · ${call.durationMs} ms`
    : ` · ${(call.durationMs / 1000).toFixed(1)} s`;
}

/** The inputs in a few words: a folded card should not need opening to be understood. */
function gist(inputs: unknown): string {
  if (typeof inputs !== 'object' || inputs === null) return '';
  const values = Object.values(inputs).filter((value) => value !== null && value !== '');
  const words = values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  return words.join(' · ').replace(/\s+/g, ' ').slice(0, 120);
}

function pretty(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? '';
}
