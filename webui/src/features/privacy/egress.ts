import { request } from '../../kernel/api/http';
import type { TenantSettings } from '../../kernel/api/types';
import { Resource } from '../../kernel/resource';
import type { Workspace } from '../../kernel/workspace';

export type Mode = TenantSettings['egress']['pii'];
/** '' is the mode of the server's configuration. */
export type Wish = Mode | '';

/** In the order in which they keep back more. */
export const modes: readonly Mode[] = ['off', 'report', 'redact', 'deny'];

/** What becomes of personal data that would leave, for all of the tenant. */
export class Egress extends Resource<Pick<TenantSettings, 'egress'>> {
  private last: Promise<unknown> = Promise.resolve();

  constructor(workspace: Workspace) {
    super(workspace, { path: 'settings', changedBy: ['settings.changed'] });
  }

  /** Throws `Problem`, and then it is as it was. */
  choose(wish: Wish): Promise<void> {
    const work = async () => {
      await request('settings', { method: 'PUT', body: { egress: { pii: wish } } });
      await this.read();
    };
    // One after another: of two choices the later one counts.
    const done = this.last.then(work, work);
    this.last = done.catch(() => {});
    return done;
  }
}
