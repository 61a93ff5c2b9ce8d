import { effect } from '@preact/signals';
import { render } from 'preact';
import { uploads } from '../features/files/attach';
import { hasUnkept, sendRefusedAgain, startOutbox } from '../kernel/outbox';
import { account, readRuntimeConfig, start, startAccount } from '../kernel/account';
import { isSignedIn, startStreams } from '../features/chat/current';
import { startDeletes } from '../features/sessions/delete_session';
import { startDrafts, unkeptDrafts } from '../kernel/drafts';
import { startVersion } from '../kernel/page_version';
import { select, selected, startRouting, takeSignInToken } from '../kernel/route';
import { startSpeechSettings } from '../features/speech/speech_settings';
import { startAppearance } from '../features/appearance/theme';
import { startUnread } from '../features/sessions/unread';
import { guardUnsaved, startGuard } from '../kernel/unsaved';
import '../styles/index.css';
import { App } from './app';

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
