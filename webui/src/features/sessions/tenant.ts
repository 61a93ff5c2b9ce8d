import { computed, signal } from '@preact/signals';
import { apiUrl } from '../../kernel/api/http';
import { tenantEventTypes } from '../../kernel/api/types';
import { Channel } from '../../kernel/streams/channel';
import { connecting, type LinkState } from '../../kernel/streams/link_state';
import { t } from '../../kernel/texts/texts';
import { account, lapse, readRuntimeConfig, runtimeConfig } from '../../kernel/account';
import { forgetSessions, readList, takeList } from './session_list';
import { checkVersion } from '../../kernel/page_version';
import { catalogVersion, settingsVersion } from '../../kernel/settings';

/** How the page as a whole is connected. */
export const link = signal<LinkState>(connecting);

/** What does not work at the moment, by the server's names. */
export const degraded = computed<readonly string[]>(() => runtimeConfig.value.degraded ?? []);

/** The same in the page's words, where it has some. */
export const degradedWords = computed(() =>
  degraded.value.map((part) => t.connection.parts[part] ?? part));

let channel: Channel | null = null;
let joinedBefore = false;

/** Follows the caller's own stream: the session list, and word of what else changed. */
export function follow(): void {
  if (channel) return;
  joinedBefore = false;
  channel = new Channel({
    key: '@me',
    url: apiUrl('session/@me/events'),
    types: tenantEventTypes,
    after: () => null,
    onEvent: take,
    // Another tab may hold the stream already: its snapshot is not told again.
    onJoined: () => void readList(),
    onState: (state) => {
      link.value = state;
      if (state.is !== 'connected') return;
      // What changed while the connection was lost is not told again.
      if (joinedBefore) {
        readSettings();
        void checkVersion();
      }
      joinedBefore = true;
    },
    onRefused: (status, code) => {
      // Without a code it is this browser that signed out; else the server does not know it any more.
      if (status === 401) code === '' ? (account.value = 'signed_out') : lapse();
      else unfollow();
    },
  });
}

export function unfollow(): void {
  channel?.close();
  channel = null;
  forgetSessions();
}

function take(type: string, data: unknown): void {
  if (type === 'session.list') takeList(data);
  if (type === 'settings.changed' || type === 'health.changed') readSettings();
  if (type === 'catalog.changed') catalogVersion.value++;
}

function readSettings(): void {
  settingsVersion.value++;
  void readRuntimeConfig();
}
