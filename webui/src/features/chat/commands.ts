import { open } from '../../kernel/route';
import { Toasts } from '../../kernel/toasts';
import type { Workspace } from '../../kernel/workspace';
import { isFor, type Command, type Offer } from '../../ui/place';

/** What a message that begins with `/` can ask the page to do, for this reader and this chat. */
export interface Runnable extends Command {
  readonly run: (words: string) => void;
}

/** `sessionId`: of the chat that is shown; null is a new one. */
export function commandsOf({ places, actions }: Offer, workspace: Workspace, sessionId: string | null): readonly Runnable[] {
  const found: Runnable[] = [];
  for (const place of places) {
    const { command } = place;
    if (!command || (place.needs === 'chat' && sessionId === null)) continue;
    const isMine = isFor(place, workspace.identity.value.role);
    if (!isMine && !command.refused) continue;
    const run = (words: string) => {
      if (isMine) open(place.id, command.params?.(words));
      else workspace.of(Toasts).say(command.refused?.() ?? '');
    };
    found.push({ ...command, run });
  }
  for (const action of actions) {
    if (action.needs !== 'chat') found.push({ ...action, run: () => action.run(workspace) });
    else if (sessionId !== null) found.push({ ...action, run: (words) => action.run(workspace, sessionId, words) });
  }
  return found.sort((a, b) => a.at - b.at);
}

/** A line of the completion: what the text becomes when it is taken. */
export interface Completion {
  readonly text: string;
  readonly hint: string;
  /** Taking it is enough to run it. */
  readonly isWhole: boolean;
}

export function completionsOf(commands: readonly Runnable[], workspace: Workspace, text: string): readonly Completion[] {
  const match = /^\/(\w*)(?:\s+(\S*))?$/.exec(text);
  if (!match) return [];
  const [, name = '', words] = match;
  const choices = (command: Command) => command.choices?.(workspace) ?? [];
  if (words === undefined) {
    return commands.filter((command) => command.name.startsWith(name)).map((command) => ({
      text: `/${command.name}`,
      hint: command.hint(),
      isWhole: choices(command).length === 0 && !command.takesWords,
    }));
  }
  const command = commands.find((other) => other.name === name);
  return (command ? choices(command) : [])
    .filter((choice) => choice.startsWith(words))
    .map((choice) => ({ text: `/${name} ${choice}`, hint: '', isWhole: true }));
}

/** The command that a text is, and what follows its name; null where it is a message. */
export function commandOf(commands: readonly Runnable[], text: string): [Runnable, string] | null {
  const match = /^\/(\w+)(?:\s+([\s\S]*))?$/.exec(text);
  const command = commands.find((other) => other.name === match?.[1]);
  return command ? [command, (match?.[2] ?? '').trim()] : null;
}
