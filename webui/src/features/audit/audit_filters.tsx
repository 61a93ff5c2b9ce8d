import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../../ui/icon';
import { filterOf, inUse, type AuditFilter } from './filter';
import { texts } from './texts';

const askAfterMs = 300;

/** What is asked for often, to choose from; any other can be written. */
const actions = [
  'auth.*', 'auth.refused', 'conversation.*', 'conversation.send', 'conversation.delete', 'credential.*', 'key.manage',
  'llm.invoke', 'memory.*', 'profile.update', 'server.*', 'settings.update', 'tool.execute', 'audit.head',
];

interface Props {
  filter: AuditFilter;
  onFilter: (part: Partial<AuditFilter>) => void;
}

export function AuditFilters({ filter, onFilter }: Props) {
  const field = (name: keyof AuditFilter, label: string, more: Partial<FieldProps> = {}) => (
    <Field label={label} value={filter[name]} onPick={(value) => onFilter({ [name]: value })} {...more} />
  );
  return (
    <div class="audit-filters" role="group" aria-label={texts.filters}>
      {field('who', texts.who, { hint: texts.anyWho })}
      {field('what', texts.what, { hint: texts.anyWhat, list: 'audit-actions' })}
      {field('session', texts.session, { hint: texts.anySession })}
      {field('request', texts.request, { hint: texts.anyRequest })}
      {field('from', texts.from, { type: 'datetime-local' })}
      {field('to', texts.to, { type: 'datetime-local' })}
      <datalist id="audit-actions">{actions.map((action) => <option key={action} value={action} />)}</datalist>
      {inUse(filter) > 0 && (
        <button type="button" class="quiet small" onClick={() => onFilter(filterOf({}))}>
          <Icon name="close" /><span>{texts.clear}</span>
        </button>
      )}
    </div>
  );
}

interface FieldProps {
  label: string;
  value: string;
  hint?: string;
  list?: string;
  type?: 'text' | 'datetime-local';
  onPick: (value: string) => void;
}

/** Asked for when nothing was typed for a moment, or by Enter. */
function Field({ label, value, hint = '', list, type = 'text', onPick }: FieldProps) {
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const asked = useRef(value);
  // By Back, or by a record's button, another is asked for than was typed here.
  useEffect(() => {
    if (value === asked.current) return;
    asked.current = value;
    setTyped(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const pick = (next: string, afterMs: number) => {
    setTyped(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      asked.current = next;
      onPick(next);
    }, afterMs);
  };
  return (
    <label data-used={value !== ''}>
      <span>{label}</span>
      <input type={type} value={typed} placeholder={hint} list={list} maxLength={256} autocomplete="off" spellcheck={false}
        onInput={(event) => pick(event.currentTarget.value, askAfterMs)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.isComposing) pick(event.currentTarget.value, 0);
        }} />
    </label>
  );
}
