import { beforeAll, expect, test, vi } from 'vitest';
import type { Place, Role } from '../ui/place';
import { fakePage } from '../testing/fake_page';

vi.mock('../ui/markdown/sanitize', () => ({ sanitize: (html: string) => html }));

let places: readonly Place[];
let offer: import('../ui/place').Offer;
let settingsFor: typeof import('./places').settingsFor;
let commands: typeof import('../features/chat/commands');
let Workspace: typeof import('../kernel/workspace').Workspace;
let route: typeof import('../kernel/route');

const of = (role: Role) => new Workspace({ tenant_id: 't', user_id: 'u', role });

beforeAll(async () => {
  fakePage();
  ({ offer, settingsFor } = await import('./places'));
  ({ places } = offer);
  commands = await import('../features/chat/commands');
  ({ Workspace } = await import('../kernel/workspace'));
  route = await import('../kernel/route');
});

test('places: each has a name of its own for the address, and words for its reader', () => {
  const ids = places.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const place of places) {
    expect(place.title()).not.toBe('');
    expect(place.id).toMatch(/^[a-z_]+$/);
  }
});

test('places: what they are about stands in the address under names that are not the page’s own', () => {
  for (const { command, turnMenu } of places) {
    const turn = { id: 't', user: null, items: [], status: 'done', recalled: null, beforeId: '1.1', firstId: '1.2', lastId: '1.3' } as const;
    const params = { ...command?.params?.('words'), ...turnMenu?.params(turn) };
    for (const name of Object.keys(params)) expect(route.ownParams.has(name)).toBe(false);
    expect(route.parse(route.hrefOf('s', 'x', params)).params).toEqual(params);
  }
});

test('places: models, tools, keys and privacy are an admin’s: nobody else is shown them', () => {
  const ids = (role: Role) => settingsFor(places, of(role)).map(({ id }) => id);
  expect(ids('user')).toEqual(['appearance', 'speech', 'about']);
  expect(ids('admin')).toEqual(['models', 'tools', 'keys', 'privacy', 'appearance', 'speech', 'about']);
});

test('places: the audit is an admin’s: nobody else is shown it', () => {
  const audit = places.find(({ id }) => id === 'audit');
  expect(audit?.roles).toEqual(['admin']);
});

test('places: the code of each can be brought', async () => {
  for (const place of places) expect(await place.load()).toBeTypeOf('function');
});

test('commands: what needs a chat is offered in one, in an order that stays', () => {
  const names = (session: string | null) => commands.commandsOf(offer, of('admin'), session).map(({ name }) => name);
  expect(names('s')).toEqual(['export', 'model', 'tool', 'rename', 'history', 'context', 'travel', 'memory', 'new', 'settings']);
  expect(names(null)).toEqual(['model', 'memory', 'new', 'settings']);
});

test('commands: what is not theirs is told to those who ask for it', () => {
  const workspace = of('user');
  const model = commands.commandsOf(offer, workspace, null).find(({ name }) => name === 'model');
  model?.run('default');
  expect(route.address.value.place).toBe(null);
  commands.commandsOf(offer, of('admin'), null).find(({ name }) => name === 'model')?.run('default');
  expect(route.address.value).toEqual({ chat: null, place: 'models', params: { profile: 'default' } });
});
