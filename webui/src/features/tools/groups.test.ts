import { expect, test } from 'vitest';
import { groupsOf, nameOf, serverOf } from './groups';
import type { ToolEntry } from '../../kernel/api/types';

const tool = (id: string, executor: ToolEntry['executor'], more: Partial<ToolEntry> = {}): ToolEntry => ({
  id, executor, title: '', description: '', inputs: {}, outputs: {}, idempotent: false, enabled: true, limits: {},
  egress: [], ...more,
});
const all = [
  tool('mcp.zoo.feed', 'mcp', { enabled: false }), tool('calculator', 'builtin', { title: 'Calculator' }),
  tool('mcp.git.log.short', 'mcp', { description: 'The newest Commits' }), tool('mcp.zoo.count', 'mcp'),
  tool('mcp.odd', 'mcp'), tool('mcp.code', 'sandbox', { enabled: false }),
];
const ids = (...args: [Parameters<typeof groupsOf>[1], string]) =>
  groupsOf(all, ...args).map(({ server, tools }) => [server, ...tools.map(({ id }) => id)]);

test('tools stand with the MCP server they come from, this server’s own first', () => {
  expect(ids('all', '')).toEqual([
    ['', 'calculator', 'mcp.odd', 'mcp.code'], ['git', 'mcp.git.log.short'],
    ['zoo', 'mcp.zoo.feed', 'mcp.zoo.count'],
  ]);
});

test('they are found by what they are called and do, and by their switch', () => {
  expect(ids('all', ' COMMITS ')).toEqual([['git', 'mcp.git.log.short']]);
  expect(ids('off', '')).toEqual([['', 'mcp.code'], ['zoo', 'mcp.zoo.feed']]);
  expect(ids('on', 'zoo')).toEqual([['zoo', 'mcp.zoo.count']]);
  expect(ids('all', 'nothing')).toEqual([]);
});

test('a tool is called by its title, else by its id without its server', () => {
  expect(all.map(nameOf)).toEqual(['feed', 'Calculator', 'log.short', 'count', 'mcp.odd', 'mcp.code']);
  expect(serverOf(all[2] as ToolEntry)).toBe('git');
});
