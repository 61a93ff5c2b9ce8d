import { useRef, useState } from 'preact/hooks';
import { request, sentence } from '../../kernel/api/http';
import type { Key, KeyCreated } from '../../kernel/api/types';
import { newKey } from '../../kernel/api/new_key';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { CopyButton } from '../../ui/copy_button';
import { Icon } from '../../ui/icon';
import { Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { Problem } from '../../ui/problem';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';
import './keys.css';

/** The keys that programs and people sign in with. A new one is shown once, here. */
export function ApiKeysTab() {
  const [read, again] = useRead(() => request<{ keys: Key[] }>('keys'));
  const [made, setMade] = useState<{ name: string; key: string } | null>(null);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const [problem, setProblem] = useState('');

  const run = async (work: () => Promise<void>) => {
    setProblem('');
    try {
      await work();
      again();
    } catch (error) {
      setProblem(sentence(error));
    }
  };

  return (
    <>
      <h3>{texts.title}</h3>
      <p class="settings-hint">{texts.hint}</p>
      <Problem text={problem} />
      {made && (
        <div class="notice" role="status">
          <Icon name="check" />
          <p><strong>{texts.made(made.name)}</strong> <code class="secret">{made.key}</code></p>
          <CopyButton label={t.copy} text={() => made.key} />
          <button type="button" class="quiet small bare" aria-label={texts.hide}
            onClick={() => setMade(null)}><Icon name="close" /></button>
        </div>
      )}
      <NewKey onMake={(name, role) => run(async () => {
        const body = { name, role };
        const answer = await request<KeyCreated>('keys', {
          method: 'POST', body, idempotencyKey: newKey(),
        });
        setMade({ name, key: answer.key ?? '' });
      })} />
      {read.is === 'reading' && <Loading />}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      {read.is === 'read' && read.value.keys.length === 0 && <p class="settings-hint">{texts.none}</p>}
      {read.is === 'read' && read.value.keys.length > 0 && (
        <ul class="keys">
          {read.value.keys.map((key) => (
            <li key={key.key_id} class="key">
              <span class="key-text">
                <strong>{key.name}</strong><span>{texts.about(key.prefix, key.role, dateOf(key.created_at), key.last_used_at ? dateOf(key.last_used_at) : '')}</span>
              </span>
              <button type="button" class="small" aria-label={texts.revokeThe(key.name)}
                onClick={() => setRevoking(key)}>{texts.revoke}</button>
            </li>
          ))}
        </ul>
      )}
      {revoking && (
        <ConfirmDialog question={texts.question(revoking.name)} yes={texts.revoke} no={t.cancel}
          onNo={() => setRevoking(null)}
          onYes={() => {
            const { key_id } = revoking;
            setRevoking(null);
            void run(() => request(`keys/${encodeURIComponent(key_id)}`, { method: 'DELETE' }));
          }}>
          {texts.warning}
        </ConfirmDialog>
      )}
    </>
  );
}

function NewKey({ onMake }: { onMake: (name: string, role: 'admin' | 'user') => Promise<void> }) {
  const name = useRef<HTMLInputElement>(null);
  const [role, setRole] = useState<'admin' | 'user'>('user');
  const submit = async (event: Event) => {
    event.preventDefault();
    const words = name.current?.value.trim() ?? '';
    if (words === '') return name.current?.focus();
    await onMake(words, role);
    if (name.current) name.current.value = '';
  };
  return (
    <form class="key-form new-key" onSubmit={submit}>
      <input ref={name} aria-label={texts.name} placeholder={texts.name} maxLength={100} />
      <select aria-label={texts.role} value={role}
        onChange={(event) => setRole(event.currentTarget.value as 'admin' | 'user')}>
        <option value="user">{texts.roles.user}</option>
        <option value="admin">{texts.roles.admin}</option>
      </select>
      <button type="submit"><Icon name="plus" /><span>{texts.make}</span></button>
    </form>
  );
}

function dateOf(timestamp: string): string {
  return new Date(timestamp).toLocaleDateString();
}
