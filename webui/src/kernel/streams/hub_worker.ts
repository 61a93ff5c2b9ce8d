import { StreamHub } from './hub';
import type { ToHub } from './messages';

/** The SharedWorker: one hub for all pages of this browser. */
const hub = new StreamHub();

interface ConnectScope {
  onconnect: (event: MessageEvent) => void;
}

(globalThis as unknown as ConnectScope).onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  port.onmessage = ({ data }: MessageEvent<ToHub>) => hub.take(port, data);
};
