// @vitest-environment happy-dom
import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { AuditRecord } from '../../kernel/api/types';
import { address } from '../../kernel/route';
import { Workspace } from '../../kernel/workspace';
import { FakeEventSource } from '../../testing/fake_page';
import { WorkspaceContext } from '../../ui/use_part';
import { changesIn } from './audit_record';
import { AuditView } from './audit_view';

const record = (seq: number, more: Partial<AuditRecord> = {}): AuditRecord => ({
  seq, at: '2026-11-30T08:00:00.000Z', what: 'conversation.send', who: { tenant_id: 't', user_id: 'ann', role: 'user' },
  how: { operation: 'send_message', door: 'http', outcome: 'done', status: 202 }, resource: 's/1', session_id: 's/1',
  request_id: `r${seq}`, prev_hash: '0', hash: '1', ...more,
});
const head = {
  chain: 'c', first: 1, seq: 41, hash: 'h', root: 'r', at: '2026-11-30T08:00:00.000Z', key_id: 'a1b2', public_key: 'p', signature: 's',
};

let root: HTMLElement;
let workspace: Workspace;
let asked: string[];
/** By the path behind `v1/`; what is not here is 503. */
let answers: Record<string, unknown>;

const settle = () => act(() => new Promise<void>((done) => setTimeout(done, 30)));
const button = (name: string) => [...root.querySelectorAll('button')].find((one) => one.textContent === name);
const seqs = () => [...root.querySelectorAll<HTMLElement>('.audit-record')].map((one) => one.dataset.seq);
const ofAudit = () => asked.filter((path) => path.startsWith('admin/audit?'));

async function show(params: Readonly<Record<string, string>> = {}) {
  const guard = { current: null };
  await act(() => render(
    <WorkspaceContext.Provider value={workspace}>
      <AuditView sessionId={null} params={params} guard={guard} onClose={() => {}} />
    </WorkspaceContext.Provider>, root));
  await settle();
}

beforeEach(() => {
  root = document.createElement('div');
  document.body.append(root);
  vi.stubGlobal('EventSource', FakeEventSource);
  asked = [];
  answers = {
    'admin/audit/head': head, health: { status: 'ok', version: '1', uptime_s: 1, components: { audit: { status: 'ok' } } },
  };
  vi.stubGlobal('fetch', async (url: string) => {
    const path = url.replace(/^.*\/v1\//, '');
    asked.push(path);
    const body = answers[path];
    return body ? Response.json(body) : Response.json({ code: 'storage.unavailable', detail: 'not now' }, { status: 503 });
  });
  workspace = new Workspace({ tenant_id: 't', user_id: 'u', role: 'admin' });
});

afterEach(async () => {
  await act(() => render(null, root));
  root.remove();
  workspace.dispose();
  vi.unstubAllGlobals();
});

test('audit: the newest first, over pages that are empty and not the last; older ones when asked for', async () => {
  answers['admin/audit?limit=50'] = { records: [record(9)], next_cursor: '9' };
  answers['admin/audit?limit=50&cursor=9'] = { records: [], next_cursor: '5' };
  answers['admin/audit?limit=50&cursor=5'] = { records: Array.from({ length: 50 }, (_, i) => record(60 - i)), next_cursor: '4' };
  answers['admin/audit?limit=50&cursor=4'] = { records: [record(1)], next_cursor: null };
  await show();
  expect(seqs().length).toBe(51);
  expect(root.textContent).toContain('The newest 51 of more.');
  expect(root.querySelector('.audit-signed')?.textContent).toContain('Signed up to record 41');
  await act(() => button('Show older ones')?.click());
  await settle();
  expect(seqs().at(-1)).toBe('1');
  expect(button('Show older ones')).toBeUndefined();
  expect(ofAudit().length).toBe(4);
});

test('audit: unfolded a record says all that is known of it, and leads to what belongs to it', async () => {
  const diff = { 'llm.model': { from: 'a', to: 'b' }, 'llm.api_key': { from: '', to: '********' } };
  answers['admin/audit?limit=50'] = { records: [record(7, { what: 'settings.update', diff, data: { peer: '::1' } })], next_cursor: null };
  await show();
  const fold = root.querySelector<HTMLButtonElement>('.audit-record button');
  expect(fold?.getAttribute('aria-expanded')).toBe('false');
  await act(() => fold?.click());
  expect(root.querySelector(`#${fold?.getAttribute('aria-controls')}`)).not.toBe(null);
  const rows = [...root.querySelectorAll('.audit-diff tbody tr')].map((tr) => [...tr.children].map((cell) => cell.textContent));
  expect(rows).toEqual([['llm.model', 'a', 'b'], ['llm.api_key', '', '********']]);
  expect(root.querySelector('.audit-facts')?.textContent).toContain('peer::1');
  expect(root.querySelector('.audit-ways a')?.getAttribute('href')).toBe('#s=s%2F1');
  await act(() => button('All of this request')?.click());
  expect(address.value.params).toEqual({ request: 'r7' });
});

test('audit: what is looked for is asked for and exported alike; where none fits that is said', async () => {
  answers['admin/audit?who=ann&what=memory.*&limit=50'] = { records: [], next_cursor: null };
  await show({ who: 'ann', what: 'memory.*' });
  expect(root.textContent).toContain('No record fits.');
  expect(root.querySelector('.audit-export')?.getAttribute('href')).toMatch(/\/v1\/admin\/audit\/export\?who=ann&what=memory\.\*$/);
});

test('audit: what is wrong with it is told, and what cannot be read can be tried again', async () => {
  answers.health = { status: 'degraded', version: '1', uptime_s: 1, components: { audit: { status: 'degraded', detail: 'records are not right' } } };
  await show();
  expect(root.textContent).toContain('Records are not right.');
  expect(root.querySelector('[role=alert]')).not.toBe(null);
  answers['admin/audit?limit=50'] = { records: [record(3)], next_cursor: null };
  await act(() => button('Try again')?.click());
  await settle();
  expect(seqs()).toEqual(['3']);
});

test('audit: of what is only told as it is now nothing stands before', () => {
  expect(changesIn({ enabled: true, limits: { from: 1 } })).toEqual([
    { name: 'enabled', from: '', to: 'true' }, { name: 'limits', from: '', to: '{"from":1}' },
  ]);
  expect(changesIn(undefined)).toEqual([]);
});
