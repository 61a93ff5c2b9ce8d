import { effect } from '@preact/signals';
import { render } from 'preact';
import { uploads } from './files/attach';
import { hasUnkept, sendRefusedAgain, startOutbox } from './session/outbox';
import { account, readRuntimeConfig, start, startAccount } from './state/account';
import { isSignedIn, startStreams } from './state/current';
import { startDeletes } from './state/delete_session';
import { startDrafts, unkeptDrafts } from './state/drafts';
import { startVersion } from './state/page_version';
import { select, selected, startRouting, takeSignInToken } from './state/route';
import { startSpeechSettings } from './state/speech_settings';
import { startAppearance } from './state/theme';
import { startUnread } from './state/unread';
import { guardUnsaved, startGuard } from './state/unsaved';
import './styles/index.css';
import { App } from './view/app';

startAppearance();
startSpeechSettings();
const token = takeSignInToken();
// A link opened in a tab that shows the page already changes nothing but the fragment.
window.addEventListener('hashchange', () => {
  const later = takeSignInToken();
  if (later !== null) void start(later);
});
startAccount();
startRouting();
startUnread();
startDrafts();
startDeletes();
startStreams();
startOutbox((_, sessionId) => {
  if (selected.value === null) select(sessionId);
});
startVersion();
startGuard(() => isSignedIn.peek() || account.peek() === 'lapsed');
guardUnsaved(() => hasUnkept() || unkeptDrafts.peek().size > 0 || uploads.peek().length > 0);
effect(() => {
  if (!isSignedIn.value) return;
  void readRuntimeConfig();
  sendRefusedAgain();
});
void start(token);

const root = document.getElementById('app');
if (root) render(<App />, root);
