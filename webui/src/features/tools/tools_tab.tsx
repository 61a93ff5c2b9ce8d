import { useLayoutEffect, useState } from 'preact/hooks';
import { sentence } from '../../kernel/api/http';
import { ToolCatalog } from './tool_catalog';
import { usePart, useResource } from '../../ui/use_part';
import { groupsOf, serverOf, type Shown, type ToolGroup } from './groups';
import { ConfirmDialog } from '../../ui/confirm_dialog';
import type { PlaceProps } from '../../ui/place';
import { useUnsaved } from '../../ui/leave_guard';
import { Loading } from '../../ui/dialog';
import { Problem } from '../../ui/problem';
import { ToolEntryView } from './tool_entry';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';
import './tools.css';

const choices: readonly Shown[] = ['all', 'on', 'off'];

/** The catalog: which tools there are, whether they may be used, and what a call may take. */
export function ToolsTab({ guard }: PlaceProps) {
  const catalog = useResource(ToolCatalog);
  const tools = catalog.value.value?.tools ?? null;
  const [switching, setSwitching] = useState('');
  const problem = catalog.problem.value || switching;
  const [shown, setShown] = useState<Shown>('all');
  const [words, setWords] = useState('');
  const [leaving, setLeaving] = useState<{ go: () => void } | null>(null);
  useUnsaved(hasChanges);
  useLayoutEffect(() => {
    guard.current = (_, go) => {
      if (!hasChanges()) return false;
      setLeaving({ go });
      return true;
    };
    return () => (guard.current = null);
  }, []);
  const read = () => {
    setSwitching('');
    return catalog.read();
  };
  if (tools === null) return <Problem text={problem} onRetry={read}><Loading /></Problem>;
  const count = (which: Shown) => groupsOf(tools, which, '').reduce((sum, group) => sum + group.tools.length, 0);
  const groups = groupsOf(tools, shown, words);
  const hasServers = tools.some((tool) => serverOf(tool) !== '');
  return (
    <>
      <h3>{texts.title}</h3>
      <p class="settings-hint">{tools.length === 0 ? texts.none : texts.hint}</p>
      <Problem text={problem} onRetry={read} />
      {tools.length > 0 && (
        <div class="tool-filter">
          <input type="search" value={words} aria-label={texts.find} placeholder={texts.find}
            onInput={(event) => setWords(event.currentTarget.value)} />
          <fieldset class="segments">
            <legend class="unseen">{texts.show}</legend>
            {choices.map((which) => (
              <label key={which}>
                <input type="radio" name="tools-shown" checked={which === shown} onChange={() => setShown(which)} />
                <span>{texts.shown[which]} <small>{count(which)}</small></span>
              </label>
            ))}
          </fieldset>
        </div>
      )}
      {groups.length === 0 && tools.length > 0 && <p role="status">{texts.noneFound}</p>}
      {groups.map((group) => (
        <section key={group.server} class="tool-group" aria-label={texts.groupOf(group.server)}>
          {hasServers && <GroupHead group={group} onProblem={setSwitching} />}
          <ul class="profiles">
            {group.tools.map((tool) => <ToolEntryView key={tool.id} tool={tool} />)}
          </ul>
        </section>
      ))}
      {leaving && (
        <ConfirmDialog question={t.unsaved.question} yes={t.unsaved.discard} no={t.unsaved.keep}
          onNo={() => setLeaving(null)} onYes={leaving.go}>
          {t.unsaved.text}
        </ConfirmDialog>
      )}
    </>
  );
}

/** Whether a form of limits holds what is not saved: its fields are the browser's. */
function hasChanges(): boolean {
  const fields = document.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('form.limits :is(input, textarea)');
  return [...fields].some((field) => field.value !== field.defaultValue);
}

interface HeadProps {
  group: ToolGroup;
  onProblem: (text: string) => void;
}

/** An MCP server's tools can be switched together: some bring dozens. */
function GroupHead({ group: { server, tools }, onProblem }: HeadProps) {
  const catalog = usePart(ToolCatalog);
  const [busy, setBusy] = useState(false);
  const on = tools.filter((tool) => tool.enabled).length;
  const enabled = on < tools.length;
  const switchAll = async () => {
    setBusy(true);
    let problem = '';
    try {
      for (const tool of tools) if (tool.enabled !== enabled) await catalog.change(tool, { enabled });
    } catch (error) {
      problem = sentence(error);
    }
    await catalog.read();
    onProblem(problem);
    setBusy(false);
  };
  return (
    <header class="tool-group-head">
      <h4>{texts.groupOf(server)}</h4>
      {server !== '' && <span class="tag">{texts.executor.mcp}</span>}
      <small>{texts.onOf(on, tools.length)}</small>
      {server !== '' && (
        <button type="button" class="small" disabled={busy} onClick={() => void switchAll()}>
          {enabled ? texts.allOn : texts.allOff}<span class="unseen">: {server}</span>
        </button>
      )}
    </header>
  );
}
