import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { apiUrl, asSentence } from '../../kernel/api/http';
import { open } from '../../kernel/route';
import { ServerConfig } from '../../kernel/server_config';
import { Streams } from '../../kernel/streams/streams';
import { Tenant } from '../../kernel/tenant';
import { ConnectionChip } from '../../ui/connection_chip';
import { Loading } from '../../ui/dialog';
import { Icon } from '../../ui/icon';
import type { PlaceProps } from '../../ui/place';
import { Problem } from '../../ui/problem';
import { usePart, useWorkspace } from '../../ui/use_part';
import { AuditFilters } from './audit_filters';
import { AuditList } from './audit_list';
import { AuditRow } from './audit_record';
import { filterOf, inUse, paramsOf, queryOf, type AuditFilter } from './filter';
import { texts } from './texts';
import { titles } from './titles';
import './audit.css';

/** What was done, by whom, in the chat's stead; an admin's. What is looked for stands in the address. */
export function AuditView({ params, onClose }: PlaceProps) {
  const filter = useMemo(() => filterOf(params), [JSON.stringify(filterOf(params))]);
  const list = usePart(AuditList);
  useEffect(() => void list.look(filter), [list, filter]);
  const change = (part: Partial<AuditFilter>) => open('audit', paramsOf({ ...filter, ...part }));
  return (
    <div class="audit">
      <Head filter={filter} onClose={() => { onClose(); requestAnimationFrame(focusWay); }} />
      <div class="audit-scroller" tabIndex={0} role="region" aria-label={texts.region}>
        <div class="audit-column">
          <Signed />
          <AuditFilters filter={filter} onFilter={change} />
          <Found isPart={inUse(filter) > 0} onFilter={change} />
        </div>
      </div>
    </div>
  );
}

/** Where the view was come from. */
function focusWay(): void {
  const ways = document.querySelectorAll<HTMLElement>('[data-place=audit], .menu-button');
  [...ways].find((way) => way.checkVisibility({ visibilityProperty: true }))?.focus();
}

function Head({ filter, onClose }: { filter: AuditFilter; onClose: () => void }) {
  const workspace = useWorkspace();
  const list = usePart(AuditList);
  const title = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    title.current?.focus();
    document.title = `${titles.audit} · SomaAgent01`;
  }, []);
  const exported = inUse(filter) > 0 ? texts.exportThese : texts.exportAll;
  return (
    <header class="chat-head">
      <button type="button" class="quiet" onClick={onClose} aria-label={texts.back} title={texts.back}>
        <Icon name="back" />
      </button>
      <h1 ref={title} tabIndex={-1}>{titles.audit}</h1>
      <ConnectionChip onNow={workspace.of(Streams).reconnectNow} state={workspace.of(Tenant).link.value}
        degraded={workspace.of(ServerConfig).degraded.value} />
      <button type="button" class="quiet" onClick={() => void list.again()} aria-label={texts.again} title={texts.again}>
        <Icon name="retry" />
      </button>
      {/* The browser takes it as it comes, however much it is. */}
      <a class="button quiet audit-export" href={apiUrl(`admin/audit/export?${queryOf(filter)}`)} download="audit.ndjson"
        aria-label={exported} title={exported}>
        <Icon name="download" />
      </a>
    </header>
  );
}

/** How far all of it is signed, and what is known to be wrong with it. */
function Signed() {
  const list = usePart(AuditList);
  const head = list.head.value;
  return (
    <>
      {/* Room for it is there before it was read. */}
      <p class="audit-signed">
        {head ? `${texts.signed(head.seq, new Date(head.at).toLocaleString(), head.key_id)} ${texts.check}` : '\u00a0'}
      </p>
      {list.trouble.value !== '' && (
        <div class="notice bad" role="status"><Icon name="alert" /><p>{asSentence(list.trouble.value)}</p></div>
      )}
    </>
  );
}

function Found({ isPart, onFilter }: { isPart: boolean; onFilter: (part: Partial<AuditFilter>) => void }) {
  const list = usePart(AuditList);
  const shown = list.shown.value;
  const isAll = list.next.value === null;
  return (
    <>
      <Problem text={list.problem.value} onRetry={() => list.again()} />
      {shown === null && list.problem.value === '' && <Loading />}
      <p class={shown?.length === 0 ? 'audit-none' : 'audit-count'} role="status">
        {shown === null ? '' : said(shown.length, isAll, isPart)}
      </p>
      <ul class="audit-list">
        {shown?.map((record) => <li key={record.seq}><AuditRow record={record} onFilter={onFilter} /></li>)}
      </ul>
      {!isAll && (
        <button type="button" class="small audit-on" disabled={list.isReading.value} onClick={() => void list.readOn()}>
          {texts.readOn}
        </button>
      )}
    </>
  );
}

function said(n: number, isAll: boolean, isPart: boolean): string {
  if (n > 0) return texts.listed(n, isAll);
  return isPart ? texts.noneFits : texts.none;
}
