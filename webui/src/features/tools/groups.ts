import type { ToolEntry } from '../../kernel/api/types';

/** Tools that come from one place: this server itself, '', or an MCP server by its name. */
export interface ToolGroup {
  readonly server: string;
  readonly tools: readonly ToolEntry[];
}

export type Shown = 'all' | 'on' | 'off';

/** `mcp.<server>.<tool>`; a tool's own name may have dots. '' for a tool of this server. */
export function serverOf({ id, executor }: Pick<ToolEntry, 'id' | 'executor'>): string {
  return executor === 'mcp' ? (/^mcp\.([^.]+)\../.exec(id)?.[1] ?? '') : '';
}

/** What a tool is called among those of its server. */
export function nameOf(tool: ToolEntry): string {
  const server = serverOf(tool);
  return tool.title || (server === '' ? tool.id : tool.id.slice(`mcp.${server}.`.length));
}

/** This server's own first, then each MCP server by name; those without a match are left out. */
export function groupsOf(tools: readonly ToolEntry[], shown: Shown, words: string): ToolGroup[] {
  const wanted = words.trim().toLowerCase();
  const groups = new Map<string, ToolEntry[]>();
  for (const tool of tools) {
    if (shown !== 'all' && tool.enabled !== (shown === 'on')) continue;
    const text = `${tool.id} ${tool.title} ${tool.description}`.toLowerCase();
    if (!text.includes(wanted)) continue;
    const server = serverOf(tool);
    groups.set(server, [...(groups.get(server) ?? []), tool]);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([server, own]) => ({ server, tools: own }));
}
