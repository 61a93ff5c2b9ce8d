import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { findProvider, provider, providerUrl, signIn, signInProblem } from '../../kernel/account';
import { Mark } from '../../ui/icon';
import { texts } from './texts';
import './sign_in.css';

export function SignIn({ again = false }: { again?: boolean }) {
  const [key, setKey] = useState('');
  const [busy, setBusy] = useState(false);
  useEffect(() => void findProvider(), []);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (key.trim() === '') return;
    setBusy(true);
    await signIn(key.trim());
    setBusy(false);
  };
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <Mark />
        <h1>{texts.title}</h1>
        <p>{again ? texts.again : texts.text}</p>
        {provider.value !== null && (
          <button type="button" class="primary by-provider" onClick={() => location.assign(providerUrl())}>
            {texts.byProvider(provider.value)}
          </button>
        )}
        <input type="text" autocomplete="username" value={texts.key} readOnly hidden />
        <label for="key">{texts.key}</label>
        <input id="key" type="password" autocomplete="current-password" spellcheck={false} value={key}
          onInput={(event) => setKey(event.currentTarget.value)} aria-describedby="sign-in-problem"
          aria-invalid={signInProblem.value !== ''} />
        <p id="sign-in-problem" class="problem" role="alert">{signInProblem.value}</p>
        <button type="submit" class="primary" disabled={busy || key.trim() === ''}>
          {busy ? texts.busy : texts.button}
        </button>
      </form>
    </main>
  );
}

/** Over all that is open, so that it is still there once its reader is back. */
export function SignInAgain() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = () => {
    if (dialog.current && !dialog.current.open) dialog.current.showModal();
  };
  useLayoutEffect(open, []);
  return (
    <dialog ref={dialog} class="sign-in-over" aria-label={texts.title} onClose={open}
      onCancel={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
      }}>
      <SignIn again />
    </dialog>
  );
}
