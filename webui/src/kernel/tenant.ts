import { signal, untracked } from '@preact/signals';
import { endAccount, lapse } from './account';
import { apiUrl } from './api/http';
import { tenantEventTypes } from './api/types';
import { checkVersion } from './page_version';
import { Channel, Streams } from './streams/streams';
import { connecting, type LinkState } from './streams/link_state';
import type { Workspace } from './workspace';

export type TenantEvent = (typeof tenantEventTypes)[number];

/**
 * The caller's own stream: the session list, and word of what else changed. It is followed while
 * somebody is signed in.
 */
export class Tenant {
  /** How the page as a whole is connected. */
  readonly link = signal<LinkState>(connecting);
  /** What is known by this stream is up to date, or soon will be. */
  readonly isFollowed = signal(false);
  private readonly listeners = new Map<TenantEvent | 'joined' | 'again', Set<(data: unknown) => void>>();
  private channel: Channel | null = null;
  private joinedBefore = false;

  constructor(private readonly workspace: Workspace) {
    workspace.effect(() => {
      const { value: isLive } = workspace.isLive;
      untracked(() => (isLive ? this.follow() : this.leave()));
    });
    workspace.onEnd(() => this.leave());
  }

  /**
   * `again`: what changed while the connection was lost is not told again. `joined`: another tab may
   * hold the stream already, and what it was told at its beginning is not told again, either.
   */
  on(what: TenantEvent | 'joined' | 'again', listener: (data: unknown) => void): void {
    this.listeners.set(what, (this.listeners.get(what) ?? new Set()).add(listener));
  }

  private tell(what: TenantEvent | 'joined' | 'again', data?: unknown): void {
    for (const listener of this.listeners.get(what) ?? []) listener(data);
  }

  private follow(): void {
    if (this.channel) return;
    this.joinedBefore = false;
    this.isFollowed.value = true;
    this.channel = this.workspace.of(Streams).open({
      key: '@me',
      url: apiUrl('session/@me/events'),
      types: tenantEventTypes,
      after: () => null,
      onEvent: (type, data) => this.tell(type as TenantEvent, data),
      onJoined: () => this.tell('joined'),
      onState: (state) => this.take(state),
      onRefused: (status, code) => {
        // Without a code it is this browser that signed out; else the server does not know it any more.
        if (status === 401) code === '' ? endAccount() : lapse();
        else this.leave();
      },
    });
  }

  private leave(): void {
    this.channel?.close();
    this.channel = null;
    this.isFollowed.value = false;
  }

  private take(state: LinkState): void {
    this.link.value = state;
    if (state.is !== 'connected') return;
    if (this.joinedBefore) {
      this.tell('again');
      void checkVersion();
    }
    this.joinedBefore = true;
  }
}
