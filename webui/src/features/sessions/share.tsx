import { useEffect, useRef, useState } from 'preact/hooks';
import { request, sentence } from '../../kernel/api/http';
import type { SessionInfo } from '../../kernel/api/types';
import { Choice } from '../../ui/choice';
import { Dialog, Loading } from '../../ui/dialog';
import { Icon } from '../../ui/icon';
import type { PlaceProps } from '../../ui/place';
import { Problem } from '../../ui/problem';
import { usePart, useWorkspace } from '../../ui/use_part';
import { SessionList } from './session_list';
import { texts } from './texts';

const visibilities = ['private', 'tenant'] as const;

/** Who sees a chat. Each change counts at once. */
export function ShareModal({ sessionId, onClose }: PlaceProps<string>) {
  const { role, user_id: me } = useWorkspace().identity.value;
  const list = usePart(SessionList);
  const session = list.infoOf(sessionId);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem('');
    try {
      await work();
    } catch (error) {
      setProblem(sentence(error));
    }
    setBusy(false);
  };

  // One of which the list has not heard yet.
  useEffect(() => {
    if (session) return;
    void run(async () => list.add([await request<SessionInfo>(`sessions/${encodeURIComponent(sessionId)}`)]));
  }, [sessionId, session === undefined]);

  const users = session?.shared_with ?? [];
  const mayShare = session !== undefined && (role === 'admin' || session.owner === me);
  const share = (shared_with: string[]) => run(() => list.share(sessionId, { shared_with }));
  return (
    <Dialog title={texts.shareTitle} onClose={onClose}>
      <Problem text={problem} />
      {!session && problem === '' && <Loading />}
      {session && (
        <>
          <p class="settings-hint">{mayShare ? texts.share.hint : texts.share.owner(session.owner ?? '')}</p>
          {mayShare && (
            <>
              <Choice name={texts.share.who} values={visibilities} chosen={session.visibility ?? 'private'}
                label={(value) => texts.share.visibilities[value]}
                onChoose={(visibility) => void run(() => list.share(sessionId, { visibility }))} />
              <AddUser busy={busy} onAdd={(user) => share([...users, user])} />
            </>
          )}
          <section>
            <h3>{texts.share.with}</h3>
            {users.length === 0 && <p class="settings-hint">{texts.share.nobody}</p>}
            <ul class="shared-with">
              {users.map((user) => (
                <li key={user}>
                  <span>{user}</span>
                  {mayShare && (
                    <button type="button" class="quiet" disabled={busy} aria-label={texts.share.remove(user)}
                      title={texts.share.remove(user)} onClick={() => void share(users.filter((one) => one !== user))}>
                      <Icon name="close" />
                    </button>
                  )}
                </li>
              ))}
            </ul>
          </section>
        </>
      )}
    </Dialog>
  );
}

function AddUser({ busy, onAdd }: { busy: boolean; onAdd: (user: string) => Promise<void> }) {
  const input = useRef<HTMLInputElement>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const user = input.current?.value.trim() ?? '';
    if (user === '') return input.current?.focus();
    await onAdd(user);
    if (input.current) input.current.value = '';
  };
  return (
    <form class="key-form" onSubmit={(event) => void submit(event)}>
      <input ref={input} type="text" aria-label={texts.share.add} placeholder={texts.share.add} maxLength={128}
        spellcheck={false} autocomplete="off" />
      <button type="submit" disabled={busy}><Icon name="plus" /><span>{texts.share.addIt}</span></button>
    </form>
  );
}
