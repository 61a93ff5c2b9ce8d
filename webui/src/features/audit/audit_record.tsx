import { useState } from 'preact/hooks';
import type { AuditRecord } from '../../kernel/api/types';
import { hrefOf } from '../../kernel/route';
import { Icon } from '../../ui/icon';
import type { AuditFilter } from './filter';
import { texts } from './texts';

interface Props {
  record: AuditRecord;
  onFilter: (part: Partial<AuditFilter>) => void;
}

/** A line of what was done; unfolded all that is known of it. */
export function AuditRow({ record, onFilter }: Props) {
  const [open, setOpen] = useState(false);
  const { seq, what, how, who, resource } = record;
  const outcome = how?.outcome ?? '';
  const id = `audit-${seq}`;
  return (
    <article class="card audit-record" data-seq={seq} data-outcome={outcome}>
      <header>
        <button type="button" class="quiet small bare" aria-expanded={open} aria-controls={id}
          aria-label={texts.detailsOf(what, seq)} title={texts.details} onClick={() => setOpen(!open)}>
          <Icon name="chevron" />
        </button>
        <strong>{what}</strong>
        {outcome !== '' && <span class="tag audit-outcome">{texts.outcomes[outcome] ?? outcome}</span>}
        <span class="audit-who" dir="auto">{who?.user_id ?? texts.nobody}</span>
        {resource && <span class="audit-about" dir="auto">{resource}</span>}
        <time dateTime={record.at} title={record.at}>{timeWords(record.at)}</time>
      </header>
      {open && <div id={id}><Details record={record} onFilter={onFilter} /></div>}
    </article>
  );
}

function Details({ record, onFilter }: Props) {
  const { diff, who, session_id: session, request_id: request } = record;
  const changes = changesIn(diff);
  return (
    <>
      <dl class="audit-facts">
        {factsOf(record).map(([name, value]) => (
          <div key={name}><dt>{name}</dt><dd dir="auto">{value}</dd></div>
        ))}
      </dl>
      <p class="audit-ways">
        {session && <a href={hrefOf(session)}>{texts.openChat}</a>}
        {session && <button type="button" class="small" onClick={() => onFilter({ session })}>{texts.ofChat}</button>}
        {request && <button type="button" class="small" onClick={() => onFilter({ request })}>{texts.ofRequest}</button>}
        {who?.user_id && (
          <button type="button" class="small" onClick={() => onFilter({ who: who.user_id ?? '' })}>{texts.ofUser}</button>
        )}
      </p>
      {changes.length > 0 && (
        <table class="audit-diff">
          <caption>{texts.changed}</caption>
          <thead><tr><th scope="col">{texts.member}</th><th scope="col">{texts.before}</th><th scope="col">{texts.now}</th></tr></thead>
          <tbody>
            {changes.map(({ name, from, to }) => (
              <tr key={name}><th scope="row">{name}</th><td dir="auto">{from}</td><td dir="auto">{to}</td></tr>
            ))}
          </tbody>
        </table>
      )}
      <details class="audit-whole">
        <summary>{texts.whole}</summary>
        <pre tabIndex={0}>{JSON.stringify(record, null, 2)}</pre>
      </details>
    </>
  );
}

export interface Change {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** What became what; of what is only told as it is now, nothing stands before. */
export function changesIn(diff: AuditRecord['diff']): readonly Change[] {
  return Object.entries(diff ?? {}).map(([name, value]) => {
    const isBoth = typeof value === 'object' && value !== null && 'from' in value && 'to' in value;
    return isBoth ? { name, from: said(value.from), to: said(value.to) } : { name, from: '', to: said(value) };
  });
}

function said(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function factsOf(record: AuditRecord): readonly (readonly [string, string])[] {
  const { facts } = texts;
  const { who, how } = record;
  const all: readonly (readonly [string, unknown])[] = [
    [facts.seq, record.seq], [facts.at, record.at], [facts.when, record.when], [facts.user, who?.user_id],
    [facts.role, who?.role], [facts.key, who?.key_id], [facts.tenant, who?.tenant_id], [facts.why, record.why],
    [facts.operation, how?.operation], [facts.door, how?.door], [facts.status, how?.status],
    [facts.resource, record.resource], [facts.session, record.session_id], [facts.request, record.request_id],
    [facts.trace, record.trace_id],
    ...Object.entries(record.data ?? {}),
  ];
  return all.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, said(value)] as const]));
}

/** To the second: who looks for something goes by it. */
function timeWords(at: string): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return at;
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString() : time.toLocaleString();
}
