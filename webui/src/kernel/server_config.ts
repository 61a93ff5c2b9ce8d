import { computed } from '@preact/signals';
import type { RuntimeConfig } from './api/types';
import { Resource } from './resource';
import type { Workspace } from './workspace';
import { t } from './texts/texts';

/** What this server allows and has, as it tells everybody who is signed in. */
export class ServerConfig extends Resource<RuntimeConfig> {
  /** What does not work at the moment, in the page's words where it has some. */
  readonly degraded = computed(() =>
    (this.now.degraded ?? []).map((part) => t.connection.parts[part] ?? part));

  constructor(workspace: Workspace) {
    super(workspace, { path: 'runtime-config', changedBy: ['settings.changed', 'health.changed'] });
    workspace.effect(() => {
      if (workspace.isLive.value) return this.watch();
    });
  }

  /** As far as it is known. */
  get now(): RuntimeConfig {
    return this.value.value ?? {};
  }
}
