import { useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import type { ModelProfile } from '../../kernel/api/types';
import { Models } from './model_store';
import { mayAnswerChats } from './profile_form';
import { tm } from './texts';
import { usePart } from '../../ui/use_part';
import { t } from '../../kernel/texts/texts';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { TestButton, TestResult } from './test_result';

interface Props {
  profile: ModelProfile;
  answersChats: boolean;
  onEdit: () => void;
}

export function ProfileCard({ profile, answersChats, onEdit }: Props) {
  const models = usePart(Models);
  const [deleting, setDeleting] = useState(false);
  const [problem, setProblem] = useState('');
  const { name } = profile;
  const remove = async () => {
    setDeleting(false);
    try {
      await models.removeProfile(name);
      document.querySelector<HTMLElement>('[data-edit=""]')?.focus();
    } catch (error) {
      setProblem(sentence(error));
    }
  };
  return (
    <li class="card profile" data-profile={name} data-enabled={profile.enabled}>
      <div class="profile-head">
        <h4>{name}</h4>
        <span class="tag">{profile.role}</span>
        {mayAnswerChats(profile) && (
          <label class={answersChats ? 'tag strong answers' : 'tag answers'}>
            <input type="radio" name="answers-chats" checked={answersChats} aria-label={tm.list.answersChatsWith(name)}
              onChange={(event) => {
                // The list says which it is, once the server took it.
                event.currentTarget.checked = answersChats;
                setProblem('');
                models.answerChatsWith(name).catch((error: unknown) => setProblem(sentence(error)));
              }} />
            <span>{tm.list.answersChats}</span>
          </label>
        )}
        {!profile.enabled && <span class="tag">{tm.list.off}</span>}
      </div>
      <p class="profile-model">
        <strong>{profile.model}</strong> <span>{tm.list.at(profile.provider)}</span>
      </p>
      <p class="profile-where">
        <code>{profile.base_url}</code>
        {profile.source === 'configuration' && <span>{tm.list.configured}</span>}
        {profile.fallbacks.length > 0 && <span>{tm.list.then(profile.fallbacks.join(', '))}</span>}
      </p>
      <div class="profile-actions">
        <TestButton name={name} />
        <button type="button" class="small" data-edit={name} onClick={onEdit}
          aria-label={tm.list.editThe(name)}>
          <Icon name="pencil" /><span>{tm.list.edit}</span>
        </button>
        {profile.source === 'tenant' && (
          <button type="button" class="small" onClick={() => setDeleting(true)}
            aria-label={tm.list.deleteThe(name)}>
            <Icon name="trash" /><span>{t.delete}</span>
          </button>
        )}
      </div>
      <TestResult state={models.tests.value.get(name)} profile={name} />
      <Problem text={problem} />
      {deleting && (
        <ConfirmDialog question={tm.list.deleteQuestion} yes={t.delete} no={tm.list.keep}
          onNo={() => setDeleting(false)} onYes={remove}>
          {tm.list.deleteText(name, profile.provider)}
        </ConfirmDialog>
      )}
    </li>
  );
}
