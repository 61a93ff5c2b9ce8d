import { useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { nameOf } from './groups';
import { ToolCatalog, type ToolChange } from './tool_catalog';
import type { ToolEntry, ToolLimits } from '../../kernel/api/types';
import { usePart } from '../../ui/use_part';
import { Problem } from '../../ui/problem';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

/** What most people would want to change; the rest stays as the server has it. */
const shown = ['timeout_ms', 'cpu_s', 'memory_bytes', 'output_bytes', 'concurrency'] as const;

interface EntryProps {
  tool: ToolEntry;
}

export function ToolEntryView({ tool }: EntryProps) {
  const catalog = usePart(ToolCatalog);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  /** What the switch shows until the server said so, too. */
  const [wish, setWish] = useState<boolean | null>(null);
  const save = async (change: ToolChange) => {
    setBusy(true);
    setProblem('');
    try {
      await catalog.change(tool, change);
    } catch (error) {
      setProblem(sentence(error));
    }
    // Also after a refusal: somebody else may have been here first.
    await catalog.read();
    setBusy(false);
    setWish(null);
  };
  const name = nameOf(tool);
  const submit = (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const limits: ToolLimits = { ...tool.limits };
    for (const name of shown) limits[name] = Number(form.get(name));
    const hosts = String(form.get('egress') ?? '').split(/[\s,]+/).filter((host) => host !== '');
    void save({ limits, egress: hosts });
  };
  return (
    <li class="card profile" data-tool={tool.id} data-enabled={tool.enabled}>
      <div class="profile-head">
        <h4>{name}</h4>
        <span class="tag">{texts.executor[tool.executor]}</span>
        <label class="switch">
          <input type="checkbox" checked={wish ?? tool.enabled} disabled={busy}
            onChange={(event) => {
              const enabled = event.currentTarget.checked;
              setWish(enabled);
              void save({ enabled });
            }} />
          <span>{texts.enabled}</span><span class="unseen">: {name}</span>
        </label>
      </div>
      <p class="settings-hint">{tool.description}</p>
      {tool.unavailable && <p class="field-problem">{texts.unavailable(tool.unavailable)}</p>}
      <Problem text={problem} />
      <details>
        <summary>{texts.limits}</summary>
        <form class="limits" onSubmit={submit}>
          {shown.map((name) => (
            <label key={name}>
              <span>{texts.limit[name]}</span>
              <input type="number" name={name} min={0} defaultValue={String(tool.limits[name] ?? 0)} />
            </label>
          ))}
          <label class="whole">
            <span>{texts.egress}</span>
            <textarea name="egress" rows={2} spellcheck={false} defaultValue={tool.egress.join('\n')} />
          </label>
          <button type="submit" class="small" disabled={busy}>{t.save}</button>
        </form>
      </details>
    </li>
  );
}
