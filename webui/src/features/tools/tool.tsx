import { useMemo, useState } from 'preact/hooks';
import { request, sentence } from '../../kernel/api/http';
import { newKey } from '../../kernel/api/new_key';
import type { PlaceProps } from '../../ui/place';
import { fieldsFor, inputsOf } from './inputs';
import type { ToolOffer } from '../../kernel/api/types';
import { Icon } from '../../ui/icon';
import { Problem } from '../../ui/problem';
import { Dialog, Loading } from '../../ui/dialog';
import { SchemaForm } from './schema_form';
import { useRead } from '../../ui/use_read';
import { texts } from './texts';
import { titles } from './titles';
import './tools.css';

/** Runs a tool by hand; what it says and does is shown in the chat. */
export function ToolModal({ sessionId, params, onClose }: PlaceProps<string>) {
  const [read, again] = useRead(() => request<{ tools: ToolOffer[] }>('tools'));
  const [chosen, setChosen] = useState(params.tool ?? '');
  const tools = read.is === 'read' ? read.value.tools : [];
  const tool = tools.find(({ id }) => id === chosen) ?? tools[0];
  return (
    <Dialog title={titles.tool} onClose={onClose}>
      {read.is === 'reading' && <Loading />}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      {read.is === 'read' && tools.length === 0 && <p class="settings-hint">{texts.none}</p>}
      {tool && (
        <>
          <label for="tool-choice" class="unseen">{texts.which}</label>
          <select id="tool-choice" class="tool-choice" value={tool.id}
            onChange={(event) => setChosen(event.currentTarget.value)}>
            {tools.map(({ id, title }) => <option key={id} value={id}>{title || id}</option>)}
          </select>
          <p class="settings-hint">{tool.description}</p>
          <RunForm key={tool.id} tool={tool} sessionId={sessionId} onDone={onClose} />
        </>
      )}
    </Dialog>
  );
}

interface FormProps {
  tool: ToolOffer;
  sessionId: string;
  onDone: () => void;
}

function RunForm({ tool, sessionId, onDone }: FormProps) {
  const fields = useMemo(() => fieldsFor(tool.inputs), [tool]);
  const [entered, setEntered] = useState<Record<string, string>>({});
  const [wrong, setWrong] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const run = async (event: Event) => {
    event.preventDefault();
    const result = inputsOf(fields, entered);
    if ('field' in result) return setWrong(result.field);
    setWrong('');
    setProblem('');
    setBusy(true);
    try {
      await request('tool/request', {
        method: 'POST', idempotencyKey: newKey(),
        body: { session_id: sessionId, tool_id: tool.id, inputs: result.inputs },
      });
      onDone();
    } catch (error) {
      setProblem(sentence(error));
      setBusy(false);
    }
  };
  return (
    <form class="schema-form" onSubmit={run}>
      <Problem text={problem} />
      <SchemaForm fields={fields} entered={entered} wrong={wrong}
        onChange={(name, text) => setEntered({ ...entered, [name]: text })} />
      {fields.length === 0 && <p class="settings-hint">{texts.noInputs}</p>}
      <div class="dialog-foot">
        <button type="submit" class="primary" disabled={busy}>
          <Icon name="play" /><span>{busy ? texts.asking : texts.run}</span>
        </button>
      </div>
    </form>
  );
}
