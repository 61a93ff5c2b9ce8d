import { request } from '../../kernel/api/http';
import type { Health } from '../../kernel/api/types';
import { ServerConfig } from '../../kernel/server_config';
import { usePart } from '../../ui/use_part';
import { Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { Problem } from '../../ui/problem';
import { texts } from './texts';
import './about.css';

export function AboutTab() {
  const [read, again] = useRead(() => request<Health>('health'));
  return (
    <>
      <h3>SomaAgent01</h3>
      <p class="settings-hint">{texts.what}</p>
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
        <dt>{texts.server}</dt><dd>{health.version}</dd>
        <dt>{texts.page}</dt><dd>{__PAGE_VERSION__}</dd>
        <dt>{texts.up}</dt><dd>{texts.uptime(health.uptime_s)}</dd>
        <dt>{texts.status}</dt><dd>{texts.states[health.status]}</dd>
        <dt>{texts.profiles}</dt><dd>{(config.now.profiles ?? []).join(', ') || '–'}</dd>
      </dl>
      {components.length > 0 && (
        <section aria-labelledby="components-title">
          <h3 id="components-title">{texts.components}</h3>
          <ul class="keys">
            {components.map(([name, { status, detail }]) => (
              <li key={name} class="key" data-status={status}>
                <span class="key-text"><strong>{name}</strong>{detail && <span>{detail}</span>}</span>
                <span class={status === 'ok' ? 'tag strong' : 'tag'}>{texts.states[status]}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
