// @vitest-environment happy-dom
import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Offer, Place, PlaceProps } from '../ui/place';
import { Workspace } from '../kernel/workspace';
import { address, close, open, select } from '../kernel/route';
import { Toasts } from '../kernel/toasts';
import { OfferContext } from '../ui/place';
import { WorkspaceContext } from '../ui/use_part';
import { Shell } from './app';

vi.mock('../features/chat/chat', () => ({ Chat: () => <main class="chat">the chat</main> }));
vi.mock('./sidebar', () => ({ Sidebar: () => <nav>the chats</nav> }));
vi.mock('../features/chat/current', async () => {
  const { signal } = await import('@preact/signals');
  return { CurrentChat: class { store = signal(null); } };
});
vi.mock('../ui/markdown/sanitize', () => ({ sanitize: (html: string) => html }));

const View = ({ sessionId, params, onClose }: PlaceProps) => (
  <p class="view">{`${sessionId} ${JSON.stringify(params)}`}<button onClick={onClose}>close</button></p>
);

let offer: Offer;
let workspace: Workspace;
let root: HTMLElement;

const place = (id: string, pane: Place['pane'], more: object = {}): Place =>
  ({ id, pane, title: () => `the ${id}`, load: async () => View, ...more }) as Place;
/** What is drawn asks for its code, and is drawn again when that is there. */
async function settle() {
  for (let round = 0; round < 4; round++) await act(() => new Promise((done) => setTimeout(done)));
}

const at = (selector: string) => root.querySelector(selector)?.textContent ?? null;

async function show(role: 'admin' | 'user' = 'user') {
  workspace = new Workspace({ tenant_id: 't', user_id: 'u', role });
  await act(() => render(
    <WorkspaceContext.Provider value={workspace}>
      <OfferContext.Provider value={offer}><Shell /></OfferContext.Provider>
    </WorkspaceContext.Provider>, root));
}

beforeEach(() => {
  address.value = { chat: 's', place: null, params: {} };
  root = document.createElement('div');
  document.body.append(root);
  offer = {
    places: [
      place('canvas', 'side'), place('tasks', 'main'), place('note', 'dialog', { needs: 'chat' } as Partial<Place>),
      place('admin', 'main', { roles: ['admin'] }),
    ],
    actions: [],
  };
});

afterEach(async () => {
  await act(() => render(null, root));
  root.remove();
  workspace.dispose();
});

test('shell: what stands beside the chat leaves it there, and has its name', async () => {
  await show();
  open('canvas', { file: 'a.md' });
  await settle();
  expect(at('main.chat')).toBe('the chat');
  expect(at('aside.side-pane .view')).toContain('s {"file":"a.md"}');
  expect(root.querySelector('.side-pane')?.getAttribute('aria-label')).toBe('the canvas');
  root.querySelector<HTMLElement>('.side-pane button')?.click();
  await settle();
  expect(at('.side-pane')).toBe(null);
});

test('shell: what stands in the chat’s stead gives way to it again', async () => {
  await show();
  open('tasks');
  await settle();
  expect([at('main.chat'), at('main.main-pane .view')]).toEqual([null, expect.stringContaining('s {}')]);
  await act(() => close('tasks'));
  await settle();
  expect(at('main.chat')).toBe('the chat');
});

test('shell: a dialog is over the chat, and another chat closes it', async () => {
  await show();
  open('note');
  await settle();
  expect([at('main.chat'), at('.shell > .view')]).toEqual(['the chat', expect.stringContaining('s {}')]);
  await act(() => select('other'));
  await settle();
  expect(at('.view')).toBe(null);
});

test('shell: what is not this reader’s, needs a chat or is not known is not opened, and leaves the address', async () => {
  await show('user');
  for (const id of ['admin', 'nothing']) {
    open(id);
    await settle();
    expect([at('.view'), address.value.place]).toEqual([null, null]);
  }
  select(null);
  open('note');
  await settle();
  expect([at('.view'), address.value.place]).toEqual([null, null]);
});

test('shell: an admin’s place is opened by an admin', async () => {
  await show('admin');
  open('admin');
  await settle();
  expect(at('.main-pane .view')).not.toBe(null);
});

test('shell: a part of the page that cannot be brought is told of, and nothing stays open', async () => {
  offer = { ...offer, places: [place('lost', 'dialog', { load: () => Promise.reject(new Error('404')) } as Partial<Place>)] };
  await show();
  open('lost');
  await settle();
  expect(address.value.place).toBe(null);
  expect(workspace.of(Toasts).shown.value).toHaveLength(1);
});
