import { signal } from '@preact/signals';
import { sentence, Problem } from '../api/http';
import { runtimeConfig } from '../state/account';
import { openSettings, settingsTabs } from '../state/settings';
import { CopyButton } from './copy_button';
import { Icon } from './icon';

interface Trouble {
  what: string;
  requestId: string;
}

const trouble = signal<Trouble | null>(null);

/** Runs what a button asks for, and tells of it where the reader sees it when it does not work. */
export async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    trouble.value = null;
    await action();
  } catch (error) {
    const requestId = error instanceof Problem ? error.requestId : '';
    trouble.value = { what: sentence(error), requestId };
  }
}

export function TroubleNotice() {
  if (trouble.value === null) return null;
  const { what, requestId } = trouble.value;
  return (
    <div class="notice bad" role="alert">
      <Icon name="alert" />
      <p>{what}</p>
      {requestId && <CopyButton label="Copy request id" text={() => requestId} />}
      <button type="button" class="quiet small bare" aria-label="Dismiss"
        onClick={() => (trouble.value = null)}>
        <Icon name="close" />
      </button>
    </div>
  );
}

export function ServerBanners() {
  const { flags, degraded } = runtimeConfig.value;
  const parts = degraded ?? [];
  return (
    <>
      {flags?.rehearsal === true && (
        <div class="banner" role="note">
          <strong>Rehearsal server, not a model.</strong>
          <span>Answers are scripted.</span>
          <SetUp />
        </div>
      )}
      {parts.length > 0 && (
        <div class="banner warn" role="status">
          <strong>Not everything is up:</strong><span>{parts.join(', ')}</span>
          {flags?.model_configured === false && <SetUp />}
        </div>
      )}
    </>
  );
}

/** The way from no model to one, for those who may go it. */
function SetUp() {
  if (!settingsTabs.value.some((tab) => tab.id === 'models')) return null;
  return (
    <button type="button" class="link" aria-haspopup="dialog"
      onClick={() => openSettings({ tab: 'models', profile: 'default' })}>
      Set up a model
    </button>
  );
}
