import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { asSentence, request } from '../../kernel/api/http';
import type { MemorySynced } from '../../kernel/api/types';
import { open } from '../../kernel/route';
import { ServerConfig } from '../../kernel/server_config';
import { Streams } from '../../kernel/streams/streams';
import { Tenant } from '../../kernel/tenant';
import { Toasts } from '../../kernel/toasts';
import type { Workspace } from '../../kernel/workspace';
import { ConnectionChip } from '../../ui/connection_chip';
import { Loading } from '../../ui/dialog';
import { Icon } from '../../ui/icon';
import { Menu, type MenuItem } from '../../ui/menu';
import { offerFile } from '../../ui/offer_file';
import type { PlaceProps } from '../../ui/place';
import { Problem } from '../../ui/problem';
import { usePart, useResource, useWorkspace } from '../../ui/use_part';
import { dropZone } from '../files/drop_zone';
import { Uploads } from '../files/attach';
import { MemoryEditing } from './editing';
import { Refused } from './dead_letters';
import { memoriesAsNdjson } from './export_memories';
import { DocumentList } from './document_list';
import { filterOf, inUse, paramsOf, type MemoryFilter } from './filter';
import { wordsOf } from './marked';
import { ImportButton, ImportPanel } from './import_panel';
import { Imports } from './imports';
import { MemoryCard } from './memory_card';
import { MemoryFilters } from './memory_filters';
import { EditForm, NoteForm } from './memory_form';
import { isReplicated, MemoryHealth, statusWords } from './memory_health';
import { MemoryList } from './memory_list';
import { texts } from './texts';
import { titles } from './titles';
import './memory.css';

/** All that is remembered, in the chat's stead. What is looked for stands in the address. */
export function MemoryView({ params, onClose }: PlaceProps) {
  const filter = useMemo(() => filterOf(params), [JSON.stringify(filterOf(params))]);
  const list = usePart(MemoryList);
  const imports = usePart(Imports);
  const uploads = usePart(Uploads);
  const box = useRef<HTMLDivElement>(null);
  const [dropping, setDropping] = useState(false);
  const taker = { isOpen: () => uploads.max > 0, take: (files: File[]) => imports.add(files) };
  useEffect(() => list.look(filter), [list, filter]);
  const withDocuments = params.documents === 'true';
  const show = (next: MemoryFilter, documents: boolean) =>
    open('memory', { ...paramsOf(next), ...(documents ? { documents: 'true' } : {}) });
  const change = (part: Partial<MemoryFilter>) => show({ ...filter, ...part }, withDocuments);
  return (
    <div class="memory" ref={box} onKeyDown={step} {...dropZone(taker, dropping, setDropping)}>
      {dropping && <div class="drop-here" aria-hidden="true">{texts.imports.drop}</div>}
      <Head filter={filter} onClose={() => { onClose(); requestAnimationFrame(focusWay); }} />
      <div class="memory-scroller" tabIndex={0} role="region" aria-label={texts.region}>
        <div class="memory-column">
          <Health />
          <Refused />
          <ImportPanel />
          <DocumentList open={withDocuments} onFold={(isOpen) => show(filter, isOpen)} />
          <MemoryFilters filter={filter} tags={tagsOf(list)} onFilter={change} />
          <NoteForm />
          <Found filter={filter} onTag={(tag) => change({ tag })} />
        </div>
      </div>
    </div>
  );
}

/** Where the view was come from. */
function focusWay(): void {
  const ways = document.querySelectorAll<HTMLElement>('[data-place=memory], .menu-button');
  [...ways].find((way) => way.checkVisibility({ visibilityProperty: true }))?.focus();
}

function Head({ filter, onClose }: { filter: MemoryFilter; onClose: () => void }) {
  const workspace = useWorkspace();
  const editing = usePart(MemoryEditing);
  const title = useRef<HTMLHeadingElement>(null);
  const [exported, setExported] = useExport(filter);
  useLayoutEffect(() => {
    title.current?.focus();
    document.title = `${titles.memory} · SomaAgent01`;
  }, []);
  return (
    <header class="chat-head">
      <button type="button" class="quiet" onClick={onClose} aria-label={texts.back} title={texts.back}>
        <Icon name="back" />
      </button>
      <h1 ref={title} tabIndex={-1}>{titles.memory}</h1>
      {exported !== null && <span class="note memory-exporting" role="status">{texts.exporting.at(exported)}</span>}
      <ConnectionChip onNow={workspace.of(Streams).reconnectNow} state={workspace.of(Tenant).link.value}
        degraded={workspace.of(ServerConfig).degraded.value} />
      <button type="button" class="memory-add" onClick={() => editing.beginNote()} aria-label={texts.add}>
        <Icon name="plus" /><span>{texts.add}</span>
      </button>
      <ImportButton />
      <Menu label={texts.more} items={[{
        label: inUse(filter) > 0 ? texts.exporting.these : texts.exporting.all, icon: 'download', run: setExported,
      }, ...syncFor(workspace)]} />
    </header>
  );
}

/** For those who may: what SomaBrain never acknowledged is sent again. */
function syncFor(workspace: Workspace): MenuItem[] {
  const { attempt, say } = workspace.of(Toasts);
  const health = workspace.of(MemoryHealth);
  if (workspace.identity.value.role !== 'admin' || !isReplicated(health.value.value)) return [];
  const sync = async () => {
    const { queued, gone } = await request<MemorySynced>('memory/sync', { method: 'POST' });
    say(texts.sync.queued(queued + gone));
    await health.read();
  };
  return [{ label: texts.sync.again, icon: 'retry', run: () => void attempt(sync) }];
}

/** How many were read for an export that is under way, and what begins one. */
function useExport(filter: MemoryFilter): [number | null, () => void] {
  const workspace = useWorkspace();
  const { attempt, say } = usePart(Toasts);
  const [read, setRead] = useState<number | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const run = () => void attempt(async () => {
    if (running.current) return;
    running.current = new AbortController();
    const { signal } = running.current;
    setRead(0);
    try {
      const { file, count } = await memoriesAsNdjson(filter, signal, setRead);
      if (signal.aborted || workspace.ended.aborted) return;
      offerFile(file, 'memories.ndjson');
      say(texts.exporting.done(count));
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      running.current = null;
      setRead(null);
    }
  });
  return [read, run];
}

function Health() {
  const health = useResource(MemoryHealth);
  const status = health.value.value;
  return (
    <>
      {/* Room for it is there before it was read. */}
      <p class="memory-status" role="status">{status ? statusWords(status).join(' · ') : '\u00a0'}</p>
      {status?.degraded && (
        <div class="notice warn" role="status">
          <Icon name="alert" /><p><strong>{texts.status.degraded}</strong> {status.why && asSentence(status.why)}</p>
        </div>
      )}
    </>
  );
}

function Found({ filter, onTag }: { filter: MemoryFilter; onTag: (tag: string) => void }) {
  const list = usePart(MemoryList);
  const edited = usePart(MemoryEditing).edited.value;
  const shown = list.shown.value;
  const words = useMemo(() => wordsOf(filter.q), [filter.q]);
  const tag = useRef(onTag);
  tag.current = onTag;
  const pickTag = useMemo(() => (name: string) => tag.current(name), []);
  const isSearch = filter.q.trim() !== '';
  const degraded = list.degraded.value;
  // Of this search alone, as when it took too long; what holds for all stands above.
  const isTold = usePart(MemoryHealth).value.value?.degraded === true;
  const isEditedHere = edited !== null && shown?.some(({ memory_id: id }) => id === edited.base.memory_id);
  return (
    <>
      <Problem text={list.problem.value} onRetry={() => list.again()} />
      {edited && !isEditedHere && <EditForm edited={edited} onDone={() => focusCard(edited.base.memory_id)} />}
      {degraded !== null && !isTold && (
        <p class="note" role="status"><Icon name="alert" />{texts.status.degraded} {degraded && asSentence(degraded)}</p>
      )}
      {shown === null && list.problem.value === '' && <Loading />}
      <p class={shown?.length === 0 ? 'memory-none' : 'memory-count'} role="status">
        {shown === null ? '' : said(shown.length, isSearch, list.next.value === null, isSearch || inUse(filter) > 0)}
      </p>
      <ul class="memory-list">
        {shown?.map((memory) => (
          <li key={memory.memory_id}>
            {edited?.base.memory_id === memory.memory_id
              ? <EditForm edited={edited} onDone={() => focusCard(memory.memory_id)} />
              : <MemoryCard memory={memory} words={words} onTag={pickTag} />}
          </li>
        ))}
      </ul>
      {list.next.value !== null && <ReadOn list={list} />}
    </>
  );
}

/** The end of what was read: comes it near, more is read. */
function ReadOn({ list }: { list: MemoryList }) {
  const button = useRef<HTMLButtonElement>(null);
  const next = list.next.value;
  useEffect(() => {
    const end = button.current;
    if (!end) return;
    const near = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) void list.readOn();
    }, { root: end.closest('.memory-scroller'), rootMargin: '0px 0px 800px' });
    near.observe(end);
    return () => near.disconnect();
  }, [list, next]);
  return (
    <button ref={button} type="button" class="small memory-on" disabled={list.isReading.value}
      onClick={() => void list.readOn()}>{texts.readOn}</button>
  );
}

const foundMost = 100;

function said(n: number, isSearch: boolean, isAll: boolean, isPart: boolean): string {
  if (n === 0) return isPart ? texts.noneFits : texts.none;
  if (isSearch) return n >= foundMost ? texts.foundMost(n) : texts.found(n);
  // How many there are of all stands above already.
  return isPart ? texts.listed(n, isAll) : '';
}

function tagsOf(list: MemoryList): readonly string[] {
  return [...new Set(list.shown.value?.flatMap(({ tags }) => tags) ?? [])].sort();
}

/** What was edited is a card again in the next frame. */
function focusCard(id: string): void {
  requestAnimationFrame(() => {
    document.querySelector<HTMLElement>(`.memory-card[data-memory="${CSS.escape(id)}"]`)?.focus({ preventScroll: true });
  });
}

/** Up and down go from memory to memory, and from the search to the first. */
function step(event: KeyboardEvent): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const from = event.target as HTMLElement;
  const isSearch = from.matches('.memory-search input');
  const card = from.closest<HTMLElement>('.memory-card');
  if (by === undefined || (!card && !(isSearch && by === 1))) return;
  event.preventDefault();
  const cards = [...document.querySelectorAll<HTMLElement>('.memory-card')];
  const to = card ? cards.indexOf(card) + by : 0;
  if (to < 0) document.querySelector<HTMLElement>('.memory-search input')?.focus();
  else cards[to]?.focus();
}
