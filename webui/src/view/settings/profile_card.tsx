import { useState } from 'preact/hooks';
import { sentence } from '../../api/http';
import type { ModelProfile } from '../../api/types';
import { removeProfile, tests } from '../../models/model_store';
import { ConfirmDialog } from '../confirm_dialog';
import { Icon } from '../icon';
import { Problem } from './problem';
import { TestButton, TestResult } from './test_result';

interface Props {
  profile: ModelProfile;
  answersChats: boolean;
  onEdit: () => void;
}

export function ProfileCard({ profile, answersChats, onEdit }: Props) {
  const [deleting, setDeleting] = useState(false);
  const [problem, setProblem] = useState('');
  const { name } = profile;
  const remove = async () => {
    setDeleting(false);
    try {
      await removeProfile(name);
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
        {answersChats && <span class="tag strong">answers chats</span>}
        {!profile.enabled && <span class="tag">off</span>}
      </div>
      <p class="profile-model">
        <strong>{profile.model}</strong> <span>at {profile.provider}</span>
      </p>
      <p class="profile-where">
        <code>{profile.base_url}</code>
        {profile.source === 'configuration' && <span> · from the server’s configuration</span>}
        {profile.fallbacks.length > 0 && <span> · then {profile.fallbacks.join(', ')}</span>}
      </p>
      <div class="profile-actions">
        <TestButton name={name} />
        <button type="button" class="small" data-edit={name} onClick={onEdit}
          aria-label={`Edit “${name}”`}>
          <Icon name="pencil" /><span>Edit</span>
        </button>
        {profile.source === 'tenant' && (
          <button type="button" class="small" onClick={() => setDeleting(true)}
            aria-label={`Delete “${name}”`}>
            <Icon name="trash" /><span>Delete</span>
          </button>
        )}
      </div>
      <TestResult state={tests.value.get(name)} />
      <Problem text={problem} />
      {deleting && (
        <ConfirmDialog question="Delete this profile?" yes="Delete" no="Keep it"
          onNo={() => setDeleting(false)} onYes={remove}>
          “{name}” will be gone; the key of {profile.provider} stays. If the server’s configuration
          has a profile of this name, that one counts again.
        </ConfirmDialog>
      )}
    </li>
  );
}
