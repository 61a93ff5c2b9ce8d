import { useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import type { ModelProfile } from '../../kernel/api/types';
import { Models } from './model_store';
import { mayAnswerChats } from './profile_form';
import { usePart } from '../../ui/use_part';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { TestButton, TestResult } from './test_result';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

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
            <input type="radio" name="answers-chats" checked={answersChats} aria-label={texts.list.answersChatsWith(name)}
              onChange={(event) => {
                // The list says which it is, once the server took it.
                event.currentTarget.checked = answersChats;
                setProblem('');
                models.answerChatsWith(name).catch((error: unknown) => setProblem(sentence(error)));
              }} />
            <span>{texts.list.answersChats}</span>
          </label>
        )}
        {!profile.enabled && <span class="tag">{texts.list.off}</span>}
      </div>
      <p class="profile-model">
        <strong>{profile.model}</strong> <span>{texts.list.at(profile.provider)}</span>
      </p>
      <p class="profile-where">
        <code>{profile.base_url}</code>
        {profile.source === 'configuration' && <span>{texts.list.configured}</span>}
        {profile.fallbacks.length > 0 && <span>{texts.list.then(profile.fallbacks.join(', '))}</span>}
      </p>
      <div class="profile-actions">
        <TestButton name={name} />
        <button type="button" class="small" data-edit={name} onClick={onEdit}
          aria-label={texts.list.editThe(name)}>
          <Icon name="pencil" /><span>{texts.list.edit}</span>
        </button>
        {profile.source === 'tenant' && (
          <button type="button" class="small" onClick={() => setDeleting(true)}
            aria-label={texts.list.deleteThe(name)}>
            <Icon name="trash" /><span>{t.delete}</span>
          </button>
        )}
      </div>
      <TestResult state={models.tests.value.get(name)} profile={name} />
      <Problem text={problem} />
      {deleting && (
        <ConfirmDialog question={texts.list.deleteQuestion} yes={t.delete} no={texts.list.keep}
          onNo={() => setDeleting(false)} onYes={remove}>
          {texts.list.deleteText(name, profile.provider)}
        </ConfirmDialog>
      )}
    </li>
  );
}
