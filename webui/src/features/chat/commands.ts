import type { SessionStore } from '../../kernel/session/session_store';
import { t } from '../../kernel/texts/texts';
import { ServerConfig } from '../../kernel/server_config';
import type { Workspace } from '../../kernel/workspace';
import { exportMarkdown, exportNdjson } from '../sessions/exports';
import { openModal } from '../../kernel/modals';
import { select } from '../../kernel/route';
import { SessionList } from '../sessions/session_list';
import { openSettings, settingsTabs } from '../../kernel/settings';
import { Toasts } from '../../kernel/toasts';
import { ToolOffers } from '../tools/tool_offers';

/** What a message that begins with `/` can ask the page to do. */
export interface Command {
  readonly name: string;
  readonly hint: string;
  /** What may follow the name; empty where nothing does. */
  readonly choices: (workspace: Workspace) => readonly string[];
  readonly takesWords?: boolean;
  readonly needsChat?: boolean;
  readonly run: (workspace: Workspace, store: SessionStore | null, words: string) => void;
}

export const commands: readonly Command[] = [
  {
    name: 'export', hint: t.commands.export, needsChat: true, choices: () => ['markdown', 'ndjson'],
    run: (workspace, store, words) => {
      if (!store) return;
      const { id } = store;
      const take = words.startsWith('m') ? exportMarkdown : exportNdjson;
      void workspace.of(Toasts).attempt(() => take(id, workspace.of(SessionList).titleOf(id)));
    },
  },
  {
    name: 'model', hint: t.commands.model, choices: (workspace) => workspace.of(ServerConfig).now.profiles ?? [],
    run: (workspace, _, words) => {
      if (!settingsTabs.value.some((tab) => tab.id === 'models')) workspace.of(Toasts).say(t.commands.modelNotYours);
      else openSettings({ tab: 'models', ...(words === '' ? {} : { profile: words }) });
    },
  },
  {
    name: 'tool', hint: t.commands.tool, needsChat: true, choices: (workspace) => workspace.of(ToolOffers).names.value,
    run: (_, store, words) => store && openModal({ kind: 'tool', sessionId: store.id, toolId: words }),
  },
  {
    name: 'rename', hint: t.commands.rename, needsChat: true, takesWords: true, choices: () => [],
    run: (workspace, store, words) => {
      if (!store || words === '') return;
      void workspace.of(Toasts).attempt(() => workspace.of(SessionList).rename(store.id, words.slice(0, 200)));
    },
  },
  {
    name: 'history', hint: t.commands.history, needsChat: true, choices: () => [],
    run: (_, store) => store && openModal({ kind: 'history', sessionId: store.id }),
  },
  {
    name: 'context', hint: t.commands.context, needsChat: true, choices: () => [],
    run: (_, store) => store && openModal({ kind: 'context', sessionId: store.id }),
  },
  {
    name: 'travel', hint: t.commands.travel, needsChat: true, choices: () => [],
    run: (_, store) => store && openModal({ kind: 'travel', sessionId: store.id }),
  },
  { name: 'new', hint: t.commands.new, choices: () => [], run: () => select(null) },
  { name: 'settings', hint: t.commands.settings, choices: () => [], run: () => openSettings() },
];

/** A line of the completion: what the text becomes when it is taken. */
export interface Completion {
  readonly text: string;
  readonly hint: string;
  /** Taking it is enough to run it. */
  readonly isWhole: boolean;
}

export function completionsOf(workspace: Workspace, text: string, hasChat: boolean): readonly Completion[] {
  const match = /^\/(\w*)(?:\s+(\S*))?$/.exec(text);
  if (!match) return [];
  const [, name = '', words] = match;
  const there = commands.filter((command) => hasChat || !command.needsChat);
  if (words === undefined) {
    return there.filter((command) => command.name.startsWith(name)).map((command) => ({
      text: `/${command.name}`,
      hint: command.hint,
      isWhole: command.choices(workspace).length === 0 && !command.takesWords,
    }));
  }
  const command = there.find((other) => other.name === name);
  return (command?.choices(workspace) ?? [])
    .filter((choice) => choice.startsWith(words))
    .map((choice) => ({ text: `/${name} ${choice}`, hint: '', isWhole: true }));
}

/** The command that a text is, and what follows its name; null where it is a message. */
export function commandOf(text: string, hasChat: boolean): [Command, string] | null {
  const match = /^\/(\w+)(?:\s+([\s\S]*))?$/.exec(text);
  const command = commands.find(
    (other) => other.name === match?.[1] && (hasChat || !other.needsChat),
  );
  return command ? [command, (match?.[2] ?? '').trim()] : null;
}
