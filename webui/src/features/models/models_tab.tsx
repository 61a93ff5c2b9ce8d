import { useEffect, useRef, useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { Models, type TaggedProfile } from './model_store';
import { usePart, useResource } from '../../ui/use_part';
import { chatProfile } from './profile_form';
import { usageLine } from './words';
import { Icon } from '../../ui/icon';
import { Keys } from './keys';
import { Problem } from '../../ui/problem';
import { ProfileCard } from './profile_card';
import { ProfileEditor } from './profile_editor';
import type { PlaceProps } from '../../ui/place';
import { texts } from './texts';
import './models.css';

/** What the form is about: a profile that is there, or a new one and the name it begins with. */
type Editing = TaggedProfile | { readonly profile: null; readonly name: string };

/** `profile` names a profile to open at once; where there is none of that name, a new one. */
export function ModelsTab({ params, guard }: PlaceProps) {
  const models = useResource(Models);
  const [editing, setEditing] = useState<Editing | null>(null);
  const [problem, setProblem] = useState('');
  const wanted = useRef(params.profile);
  const cameFrom = useRef<string | null>(null);

  useEffect(() => () => models.close(), [models]);

  const edit = async (name: string) => {
    cameFrom.current = name;
    setProblem('');
    try {
      setEditing(await models.readProfile(name));
    } catch (error) {
      setProblem(sentence(error));
    }
  };

  const add = (name = '') => {
    cameFrom.current = '';
    setEditing({ profile: null, name });
  };

  const all = models.profiles.value;
  useEffect(() => {
    const name = wanted.current;
    if (all === null || name === undefined) return;
    wanted.current = undefined;
    if (all.some((profile) => profile.name === name)) void edit(name);
    else add(name);
  }, [all]);

  // Back in the list, the keyboard is where it was.
  useEffect(() => {
    if (editing !== null || cameFrom.current === null) return;
    const from = document.querySelector<HTMLElement>(`[data-edit="${cameFrom.current}"]`);
    (from ?? document.querySelector<HTMLElement>('[data-edit=""]'))?.focus();
    cameFrom.current = null;
  }, [editing]);

  if (all === null || wanted.current !== undefined) {
    return <Problem text={models.problem.value} onRetry={() => models.read()}><Loading /></Problem>;
  }
  if (editing !== null) {
    return (
      <ProfileEditor opened={editing.profile ? (editing as TaggedProfile) : null}
        name={editing.profile ? editing.profile.name : (editing as { name: string }).name}
        guard={guard} onDone={() => setEditing(null)} />
    );
  }
  const chats = chatProfile(all);
  return (
    <>
      <Problem text={problem || models.problem.value} onRetry={problem ? null : () => models.read()} />
      <Usage />
      <section aria-labelledby="profiles-title">
        <div class="settings-row">
          <h3 id="profiles-title">{texts.list.title}</h3>
          <button type="button" class="small" data-edit="" onClick={() => add()}>
            <Icon name="plus" /><span>{texts.list.add}</span>
          </button>
        </div>
        {all.length === 0 ? (
          <p class="settings-hint">{texts.list.none}</p>
        ) : (
          <ul class="profiles">
            {all.map((profile) => (
              <ProfileCard key={profile.name} profile={profile} answersChats={profile === chats}
                onEdit={() => edit(profile.name)} />
            ))}
          </ul>
        )}
        {all.length > 0 && !chats && (
          <p class="settings-hint">{texts.list.noneAnswers}</p>
        )}
      </section>
      <Keys />
    </>
  );
}

function Usage() {
  const report = usePart(Models).usage.value;
  if (!report) return null;
  const { text, isNearCap } = usageLine(report);
  return (
    <p class={isNearCap ? 'usage near' : 'usage'}>
      {isNearCap && <Icon name="alert" />}{text}
    </p>
  );
}

function Loading() {
  return (
    <div class="skeleton settings-loading" role="status" aria-label={texts.list.reading}>
      <i /><i /><i />
    </div>
  );
}
