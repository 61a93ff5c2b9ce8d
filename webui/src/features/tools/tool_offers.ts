import { computed } from '@preact/signals';
import { Resource } from '../../kernel/resource';
import type { Workspace } from '../../kernel/workspace';
import type { ToolOffer } from '../../kernel/api/types';

/** The tools that may be run by hand. */
export class ToolOffers extends Resource<{ tools: readonly ToolOffer[] }> {
  readonly names = computed(() => (this.value.value?.tools ?? []).map(({ id }) => id));

  constructor(workspace: Workspace) {
    super(workspace, { path: 'tools', changedBy: ['catalog.changed'] });
  }
}
