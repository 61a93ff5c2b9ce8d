import { effect } from '@preact/signals';
import { render } from 'preact';
import { sendRefusedAgain, startOutbox } from './session/outbox';
import { readRuntimeConfig, start } from './state/account';
import { isSignedIn, startStreams } from './state/current';
import { startDeletes } from './state/delete_session';
import { startDrafts } from './state/drafts';
import { select, selected, startRouting, takeSignInToken } from './state/route';
import { startSpeechSettings } from './state/speech_settings';
import { startAppearance } from './state/theme';
import { startUnread } from './state/unread';
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
startRouting();
startUnread();
startDrafts();
startDeletes();
startStreams();
startOutbox((_, sessionId) => {
  if (selected.value === null) select(sessionId);
});
effect(() => {
  if (!isSignedIn.value) return;
  void readRuntimeConfig();
  sendRefusedAgain();
});
void start(token);

const root = document.getElementById('app');
if (root) render(<App />, root);
