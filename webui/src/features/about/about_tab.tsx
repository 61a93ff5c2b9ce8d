import { request } from '../../kernel/api/http';
import type { Health } from '../../kernel/api/types';
import { ServerConfig } from '../../kernel/server_config';
import { usePart } from '../../ui/use_part';
import { t } from '../../kernel/texts/texts';
import { Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { Problem } from '../../ui/problem';

export function AboutTab() {
  const [read, again] = useRead(() => request<Health>('health'));
  return (
    <>
      <h3>SomaAgent01</h3>
      <p class="settings-hint">{t.about.what}</p>
      {read.is === 'reading' && <Loading />}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      {read.is === 'read' && <Facts health={read.value} />}
    </>
  );
}

function Facts({ health }: { health: Health }) {
  const config = usePart(ServerConfig);
  const components = Object.entries(health.components ?? {});
  return (
    <>
      <dl class="facts">
        <dt>{t.about.server}</dt><dd>{health.version}</dd>
        <dt>{t.about.page}</dt><dd>{__PAGE_VERSION__}</dd>
        <dt>{t.about.up}</dt><dd>{t.about.uptime(health.uptime_s)}</dd>
        <dt>{t.about.status}</dt><dd>{t.about.states[health.status]}</dd>
        <dt>{t.about.profiles}</dt><dd>{(config.now.profiles ?? []).join(', ') || '–'}</dd>
      </dl>
      {components.length > 0 && (
        <section aria-labelledby="components-title">
          <h3 id="components-title">{t.about.components}</h3>
          <ul class="keys">
            {components.map(([name, { status, detail }]) => (
              <li key={name} class="key" data-status={status}>
                <span class="key-text"><strong>{name}</strong>{detail && <span>{detail}</span>}</span>
                <span class={status === 'ok' ? 'tag strong' : 'tag'}>{t.about.states[status]}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
