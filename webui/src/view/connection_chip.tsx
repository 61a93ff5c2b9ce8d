import type { Connection } from '../api/live_stream';

const said: Record<Connection, string> = {
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Reconnecting…',
  offline: 'Offline',
};

export function ConnectionChip({ state }: { state: Connection }) {
  return (
    <span class="connection" data-connection={state} role="status" title={said[state]}>
      <i aria-hidden="true" /><span>{said[state]}</span>
    </span>
  );
}
