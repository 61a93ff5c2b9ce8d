import { useEffect, useRef, useState } from 'preact/hooks';
import { SessionList } from '../sessions/session_list';
import { usePart } from '../../ui/use_part';
import { Icon } from '../../ui/icon';
import { filterOf, inUse, kinds, states, type MemoryFilter } from './filter';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

const askAfterMs = 200;
/** More chats than anybody looks through in a list; the one that is chosen is there in any case. */
const chatsMax = 100;

interface Props {
  filter: MemoryFilter;
  /** Tags that are known, to choose from. */
  tags: readonly string[];
  onFilter: (part: Partial<MemoryFilter>) => void;
}

export function MemoryFilters({ filter, tags, onFilter }: Props) {
  const [open, setOpen] = useState(false);
  const used = inUse(filter);
  return (
    <div class="memory-filters" data-open={open}>
      <div class="memory-find">
        <Search filter={filter} onFilter={onFilter} />
        <button type="button" class="quiet memory-fold" aria-expanded={open} aria-controls="memory-filters"
          aria-label={used > 0 ? texts.filtersOn(used) : texts.filters} title={texts.filters} data-used={used > 0}
          onClick={() => setOpen(!open)}>
          <Icon name="sliders" />
        </button>
      </div>
      <div class="memory-selects" id="memory-filters" role="group" aria-label={texts.filters}>
        <Select name={texts.kind} value={filter.kind} any={texts.anyKind}
          options={kinds.map((kind) => [kind, texts.kinds[kind]])}
          onPick={(kind) => onFilter({ kind: kind as MemoryFilter['kind'] })} />
        <ChatSelect value={filter.session} onPick={(session) => onFilter({ session })} />
        <Select name={texts.tag} value={filter.tag} any={texts.anyTag}
          options={[...new Set([...(filter.tag === '' ? [] : [filter.tag]), ...tags])].map((tag) => [tag, tag])}
          onPick={(tag) => onFilter({ tag })} />
        <Select name={texts.state} value={filter.state} any={texts.anyState}
          options={states.map((state) => [state, texts.states[state]])}
          onPick={(state) => onFilter({ state: state as MemoryFilter['state'] })} />
        <button type="button" class="small" aria-pressed={filter.pinned} onClick={() => onFilter({ pinned: !filter.pinned })}>
          <Icon name="pin" /><span>{texts.pinned}</span>
        </button>
        {used > 0 && (
          <button type="button" class="quiet small" onClick={() => onFilter({ ...filterOf({}), q: filter.q })}>
            <Icon name="close" /><span>{texts.clear}</span>
          </button>
        )}
      </div>
    </div>
  );
}

function Search({ filter, onFilter }: Pick<Props, 'filter' | 'onFilter'>) {
  const [words, setWords] = useState(filter.q);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const asked = useRef(filter.q);
  // By Back, or by a command, other words are asked for than were typed here.
  useEffect(() => {
    if (filter.q === asked.current) return;
    asked.current = filter.q;
    setWords(filter.q);
  }, [filter.q]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const search = (q: string, afterMs: number) => {
    setWords(q);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      asked.current = q;
      onFilter({ q });
    }, afterMs);
  };
  return (
    <div class="memory-search" role="search" aria-label={texts.searchField}>
      <Icon name="search" />
      <input type="search" dir="auto" value={words} placeholder={texts.search} aria-label={texts.searchField}
        maxLength={1_000} autocomplete="off" onInput={(event) => search(event.currentTarget.value, askAfterMs)}
        onKeyDown={(event) => {
          if (event.isComposing) return;
          if (event.key === 'Enter') search(words, 0);
          if (event.key === 'Escape' && words !== '') {
            event.stopPropagation();
            search('', 0);
          }
        }} />
    </div>
  );
}

function ChatSelect({ value, onPick }: { value: string; onPick: (id: string) => void }) {
  const list = usePart(SessionList);
  const newest = list.all.value.slice(0, chatsMax);
  const isIn = value === '' || newest.some(({ session_id: id }) => id === value);
  const known = newest.map(({ session_id: id, title }): Option => [id, title || t.untitled]);
  const options: Option[] = isIn ? known : [[value, list.titleOf(value) || texts.unknownChat], ...known];
  return <Select name={texts.chat} value={value} any={texts.anyChat} options={options} onPick={onPick} />;
}

type Option = readonly [value: string, name: string];

interface SelectProps {
  name: string;
  value: string;
  any: string;
  options: readonly Option[];
  onPick: (value: string) => void;
}

function Select({ name, value, any, options, onPick }: SelectProps) {
  return (
    <select aria-label={name} value={value} data-used={value !== ''} onChange={(event) => onPick(event.currentTarget.value)}>
      <option value="">{any}</option>
      {options.map(([id, text]) => <option key={id} value={id}>{text}</option>)}
    </select>
  );
}
