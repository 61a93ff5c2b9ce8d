import { effect } from '@preact/signals';
import { render } from 'preact';
import { sendRefusedAgain, startOutbox } from './session/outbox';
import { readRuntimeConfig, start } from './state/account';
import { isSignedIn, startStreams } from './state/current';
import { select, selected, startRouting, takeSignInToken } from './state/route';
import './styles/index.css';
import { App } from './view/app';

const token = takeSignInToken();
// A link opened in a tab that shows the page already changes nothing but the fragment.
window.addEventListener('hashchange', () => {
  const later = takeSignInToken();
  if (later !== null) void start(later);
});
startRouting();
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
