import { useRef, useState } from 'preact/hooks';
import { Problem as ServerProblem, sentence } from '../../kernel/api/http';
import { Models } from './model_store';
import { keyLine } from './words';
import { usePart } from '../../ui/use_part';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import { SecretInput } from './secret_input';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

/** One key a provider, whatever number of profiles use it. */
export function Keys() {
  const { providers } = usePart(Models);
  return (
    <section aria-labelledby="keys-title">
      <h3 id="keys-title">{texts.keys.title}</h3>
      <p class="settings-hint">{texts.keys.hint}</p>
      <ul class="keys">
        {providers.value.map((provider) => <KeyRow key={provider} provider={provider} />)}
      </ul>
    </section>
  );
}

type Asking = 'nothing' | 'key' | 'removal';

function KeyRow({ provider }: { provider: string }) {
  const models = usePart(Models);
  const [asking, setAsking] = useState<Asking>('nothing');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const key = models.credentials.value.find((each) => each.provider === provider);

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
    void run(() => models.storeKey(provider, secret));
  };

  return (
    <li class="key" data-provider={provider}>
      <div class="key-text">
        <strong>{provider}</strong>
        <span>{key ? keyLine(key) : texts.keys.none}</span>
      </div>
      {asking !== 'key' && (
        <div class="key-actions">
          <button ref={opener} type="button" class="small" onClick={() => setAsking('key')}
            aria-label={key ? texts.keys.replaceOf(provider) : texts.keys.addOf(provider)}>
            {key ? texts.keys.replace : texts.keys.add}
          </button>
          {key && (
            <button type="button" class="small" onClick={() => setAsking('removal')}
              aria-label={texts.keys.removeOf(provider)}>
              {texts.keys.remove}
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
          <SecretInput input={input} label={texts.keys.keyOf(provider)} autofocus
            describedBy={problem ? `key-problem-${provider}` : undefined} />
          <button type="submit" class="small primary" disabled={busy}>
            {busy ? texts.keys.storing : texts.keys.store}
          </button>
          <button type="button" class="small" onClick={done}>{t.cancel}</button>
        </form>
      )}
      {problem && (
        <p class="field-problem" role="alert" id={`key-problem-${provider}`}>
          <Icon name="alert" />{problem}
        </p>
      )}
      {asking === 'removal' && (
        <ConfirmDialog question={texts.keys.removeQuestion} yes={texts.keys.remove} no={texts.keys.keep}
          onNo={() => setAsking('nothing')} onYes={() => { setAsking('nothing'); void run(() => models.removeKey(provider)); }}>
          {texts.keys.removeText(provider)}
        </ConfirmDialog>
      )}
    </li>
  );
}

export function keyProblem(error: unknown): string {
  const code = error instanceof ServerProblem ? error.code : '';
  if (code === 'secret.key_missing') {
    return texts.keys.cannotStore;
  }
  if (code === 'request.invalid') return texts.keys.bad;
  return sentence(error);
}
