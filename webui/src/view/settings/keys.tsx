import { useRef, useState } from 'preact/hooks';
import { Problem as ServerProblem, sentence } from '../../api/http';
import { credentials, providers, removeKey, storeKey } from '../../models/model_store';
import { keyLine } from '../../models/words';
import { ConfirmDialog } from '../confirm_dialog';
import { Icon } from '../icon';
import { SecretInput } from './secret_input';

/** One key a provider, whatever number of profiles use it. */
export function Keys() {
  return (
    <section aria-labelledby="keys-title">
      <h3 id="keys-title">Keys</h3>
      <p class="settings-hint">
        A key is stored encrypted and is never shown again. Without one here, the server’s
        environment may have one.
      </p>
      <ul class="keys">
        {providers.value.map((provider) => <KeyRow key={provider} provider={provider} />)}
      </ul>
    </section>
  );
}

type Asking = 'nothing' | 'key' | 'removal';

function KeyRow({ provider }: { provider: string }) {
  const [asking, setAsking] = useState<Asking>('nothing');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const key = credentials.value.find((each) => each.provider === provider);

  const done = () => {
    setAsking('nothing');
    setProblem('');
    requestAnimationFrame(() => opener.current?.focus());
  };

  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    try {
      await work();
      done();
    } catch (error) {
      setProblem(keyProblem(error));
    } finally {
      setBusy(false);
    }
  };

  const store = (event: Event) => {
    event.preventDefault();
    const secret = input.current?.value.trim() ?? '';
    if (secret === '' || busy) return;
    void run(() => storeKey(provider, secret));
  };

  return (
    <li class="key" data-provider={provider}>
      <div class="key-text">
        <strong>{provider}</strong>
        <span>{key ? keyLine(key) : 'No key is stored.'}</span>
      </div>
      {asking !== 'key' && (
        <div class="key-actions">
          <button ref={opener} type="button" class="small" onClick={() => setAsking('key')}
            aria-label={`${key ? 'Replace' : 'Add'} the key of ${provider}`}>
            {key ? 'Replace' : 'Add the key'}
          </button>
          {key && (
            <button type="button" class="small" onClick={() => setAsking('removal')}
              aria-label={`Remove the key of ${provider}`}>
              Remove
            </button>
          )}
        </div>
      )}
      {asking === 'key' && (
        <form class="key-form" onSubmit={store} autocomplete="off"
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return;
            event.preventDefault();
            event.stopPropagation();
            done();
          }}>
          <SecretInput input={input} label={`Key of ${provider}`} autofocus
            describedBy={problem ? `key-problem-${provider}` : undefined} />
          <button type="submit" class="small primary" disabled={busy}>
            {busy ? 'Storing…' : 'Store'}
          </button>
          <button type="button" class="small" onClick={done}>Cancel</button>
        </form>
      )}
      {problem && (
        <p class="field-problem" role="alert" id={`key-problem-${provider}`}>
          <Icon name="alert" />{problem}
        </p>
      )}
      {asking === 'removal' && (
        <ConfirmDialog question="Remove this key?" yes="Remove" no="Keep it"
          onNo={() => setAsking('nothing')} onYes={() => run(() => removeKey(provider))}>
          Profiles of {provider} will call without it. It cannot be brought back from here.
        </ConfirmDialog>
      )}
    </li>
  );
}

export function keyProblem(error: unknown): string {
  const code = error instanceof ServerProblem ? error.code : '';
  if (code === 'secret.key_missing') {
    return 'This server cannot store keys: start it with GATEWAY_ENC_KEY set.';
  }
  if (code === 'request.invalid') return 'A key has no spaces and no characters outside ASCII.';
  return sentence(error);
}
