// @vitest-environment happy-dom
import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Memory } from '../../kernel/api/types';
import { Workspace } from '../../kernel/workspace';
import { FakeEventSource } from '../../testing/fake_page';
import { WorkspaceContext } from '../../ui/use_part';
import { MemoryCard } from './memory_card';

const memory: Memory = {
  memory_id: 'm/1', kind: 'note', text: 'The key is under the mat', tags: [], importance: 0.5, pinned: false, owner: 'u',
  created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z', state: 'stored',
};
const use = (n: number, session: string) => ({
  session_id: session, turn_id: `t${n}`, message_id: `t${n}`, event_id: `e${n}`, at: '2026-01-02T03:04:05Z',
});
const session = (id: string, title: string) => ({
  session_id: id, title, updated_at: '2026-01-01T00:00:00Z', last_event_id: '1-1', busy: false,
});

let root: HTMLElement;
let workspace: Workspace;
let asked: string[];
/** By the path behind `v1/`; what is not here is 503. */
let answers: Record<string, unknown>;

const settle = () => act(() => new Promise<void>((done) => setTimeout(done, 30)));
const button = (name: string) => [...root.querySelectorAll('button')].find((one) => one.textContent === name);
const rows = () => [...root.querySelectorAll('.memory-uses li')].map((li) => [
  li.querySelector('span')?.textContent, li.querySelector('a')?.getAttribute('href'),
]);

async function click(name: string) {
  await act(() => button(name)?.click());
  await settle();
}

beforeEach(async () => {
  root = document.createElement('div');
  document.body.append(root);
  vi.stubGlobal('EventSource', FakeEventSource);
  asked = [];
  answers = { 'sessions?limit=100': { sessions: [session('s1', 'Keys')], next_cursor: 'more' } };
  vi.stubGlobal('fetch', async (url: string) => {
    const path = url.replace(/^.*\/v1\//, '');
    asked.push(path);
    const body = answers[path];
    return body ? Response.json(body) : Response.json({ code: 'storage.unavailable', detail: 'not all is known yet' }, { status: 503 });
  });
  workspace = new Workspace({ tenant_id: 't', user_id: 'u', role: 'user' });
  await act(() => render(
    <WorkspaceContext.Provider value={workspace}><MemoryCard memory={memory} words={[]} onTag={() => {}} /></WorkspaceContext.Provider>,
    root));
});

afterEach(async () => {
  await act(() => render(null, root));
  root.remove();
  workspace.dispose();
  vi.unstubAllGlobals();
});

test('uses: nothing is asked until they are unfolded, and then once; each leads to its message', async () => {
  answers['memories/m%2F1/uses?limit=20'] = { uses: [use(2, 's1'), use(1, 'old')] };
  answers['sessions/old'] = session('old', 'Of long ago');
  await settle();
  // The list of chats is read for the sidebar, whoever looks.
  expect(asked).toEqual(['sessions?limit=100']);
  expect(button('Where it was used')?.getAttribute('aria-expanded')).toBe('false');
  await click('Where it was used');
  expect(asked).toEqual(['sessions?limit=100', 'memories/m%2F1/uses?limit=20', 'sessions/old']);
  expect(rows()).toEqual([['In “Keys”', '#s=s1&at=t2'], ['In “Of long ago”', '#s=old&at=t1']]);
  const fold = button('Used in 2 answers');
  expect(fold?.getAttribute('aria-expanded')).toBe('true');
  expect(root.querySelector('section')?.id).toBe(fold?.getAttribute('aria-controls'));
  expect(root.querySelector('section [role=status]')?.textContent).toBe('Used in 2 answers');
  // Folded it still says how many; unfolded again it is asked anew.
  await click('Used in 2 answers');
  expect([rows(), asked.length]).toEqual([[], 3]);
  answers['memories/m%2F1/uses?limit=20'] = { uses: [use(3, 's1'), use(2, 's1'), use(1, 'old')] };
  await click('Used in 2 answers');
  expect(rows()).toHaveLength(3);
  expect(button('Used in 3 answers')).toBeDefined();
});

test('uses: older ones come behind those that are there, and the focus is at the first of them', async () => {
  answers['memories/m%2F1/uses?limit=20'] = { uses: [use(3, 's1'), use(2, 's1')], next_cursor: 'c' };
  await click('Where it was used');
  expect(button('Used in more than 2 answers')).toBeDefined();
  answers['memories/m%2F1/uses?limit=20&cursor=c'] = { uses: [use(1, 's1')] };
  await click('Show older ones');
  expect(rows().map(([, href]) => href)).toEqual(['#s=s1&at=t3', '#s=s1&at=t2', '#s=s1&at=t1']);
  expect(button('Show older ones')).toBeUndefined();
  expect(document.activeElement?.getAttribute('href')).toBe('#s=s1&at=t1');
});

test('uses: one that was used in no answer says so, and a chat that cannot be read has a name all the same', async () => {
  answers['memories/m%2F1/uses?limit=20'] = { uses: [] };
  await click('Where it was used');
  expect(root.textContent).toContain('No answer was told of it yet.');
  await click('Not used in an answer yet');
  answers['memories/m%2F1/uses?limit=20'] = { uses: [use(1, 'elsewhere')] };
  await click('Not used in an answer yet');
  expect(rows()).toEqual([['In a chat', '#s=elsewhere&at=t1']]);
});

test('uses: where they are not known it says why, and can be asked again', async () => {
  await click('Where it was used');
  expect(root.querySelector('[role=alert]')?.textContent).toContain('Not all is known yet.');
  answers['memories/m%2F1/uses?limit=20'] = { uses: [use(1, 's1')] };
  await click('Try again');
  expect(root.querySelector('[role=alert]')).toBe(null);
  expect(rows()).toHaveLength(1);
});
