import { useEffect, useState } from 'preact/hooks';
import type { LinkState } from '../kernel/streams/link_state';
import { t } from '../kernel/texts/texts';
import './connection_chip.css';

interface Props {
  state: LinkState;
  /** What is not up, in words, while the connection to it is. */
  degraded?: readonly string[];
  /** Tries at once; without it there is nothing to try. */
  onNow?: () => void;
  onResume?: () => void;
}

export function ConnectionChip({ state, degraded = [], onNow, onResume }: Props) {
  const isDegraded = state.is === 'connected' && degraded.length > 0;
  const look = isDegraded ? 'degraded' : state.is;
  const words = isDegraded ? t.connection.degraded(degraded.join(', ')) : t.connection[state.is];
  return (
    <span class="connection" data-connection={look} title={words}>
      <i aria-hidden="true" />
      {/* The seconds are not read out: only that it is so. */}
      <span role="status">{words}</span>
      {state.is === 'reconnecting' && <Countdown at={state.at} />}
      {state.is === 'reconnecting' && (
        <button type="button" class="link" onClick={onNow}>{t.connection.now}</button>
      )}
      {state.is === 'parked' && onResume && (
        <button type="button" class="link" onClick={onResume}>{t.connection.resume}</button>
      )}
    </span>
  );
}

function Countdown({ at }: { at: number }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.ceil((at - now) / 1000);
  return seconds > 0 ? <span aria-hidden="true">{t.connection.inSeconds(seconds)}</span> : null;
}
