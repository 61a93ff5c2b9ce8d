import '../ui/styles/index.css';
import { effect, untracked } from '@preact/signals';
import { render } from 'preact';
import { startAppearance } from '../features/appearance/theme';
import { CurrentChat } from '../features/chat/current';
import { Uploads } from '../features/files/attach';
import { startSpeechSettings } from '../features/speech/speech_settings';
import { start, startAccount, tellFailure, workspace } from '../kernel/account';
import { startVersion } from '../kernel/page_version';
import { startRouting, takeSignInFailure, takeSignInToken } from '../kernel/route';
import { startGuard } from '../kernel/unsaved';
import type { PartClass } from '../kernel/workspace';
import { App } from './app';

/** What is at work for a person before anything asks for it; it brings what it needs. */
const atOnce: readonly PartClass<object>[] = [CurrentChat, Uploads];

startAppearance();
startSpeechSettings();
const token = takeSignInToken();
tellFailure(takeSignInFailure());
// A link opened in a tab that shows the page already changes nothing but the fragment.
window.addEventListener('hashchange', () => {
  const later = takeSignInToken();
  if (later !== null) void start(later);
});
startAccount();
startRouting();
startVersion();
startGuard(() => workspace.peek() !== null);
effect(() => {
  const own = workspace.value;
  if (own) untracked(() => atOnce.forEach((Class) => own.of(Class)));
});
void start(token);

const root = document.getElementById('app');
if (root) render(<App />, root);
