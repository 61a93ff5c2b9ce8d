import { useEffect, useState } from 'preact/hooks';
import { sentence } from '../kernel/api/http';

export type Read<Value> =
  | { readonly is: 'reading' }
  | { readonly is: 'read'; readonly value: Value }
  | { readonly is: 'failed'; readonly problem: string };

/** Reads once when the dialog opens, and again when it is asked to. */
export function useRead<Value>(read: () => Promise<Value>): [Read<Value>, () => void] {
  const [state, setState] = useState<Read<Value>>({ is: 'reading' });
  const [times, setTimes] = useState(0);
  useEffect(() => {
    let wanted = true;
    setState({ is: 'reading' });
    read().then(
      (value) => wanted && setState({ is: 'read', value }),
      (error: unknown) => wanted && setState({ is: 'failed', problem: sentence(error) }),
    );
    return () => void (wanted = false);
  }, [times]);
  return [state, () => setTimes(times + 1)];
}
