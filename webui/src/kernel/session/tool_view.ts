import { isRecord, text } from './payload';
import type { ToolCall } from './state';

/** What a program was asked to run: shown as code, not as a string within JSON. */
export interface Program {
  readonly language: string;
  readonly code: string;
  readonly stdin: string;
}

/** What a program said, as a terminal would show it. */
export interface Terminal {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly truncated: boolean;
  readonly files: readonly WorkFile[];
}

export interface WorkFile {
  readonly path: string;
  readonly sizeBytes: number;
}

const languages: Readonly<Record<string, string>> = { node: 'javascript' };

export function programOf(inputs: unknown): Program | null {
  if (!isRecord(inputs) || typeof inputs.code !== 'string') return null;
  const language = text(inputs.language);
  return { language: languages[language] ?? language, code: inputs.code, stdin: text(inputs.stdin) };
}

export function terminalOf(output: unknown): Terminal | null {
  if (!isRecord(output) || (typeof output.stdout !== 'string' && typeof output.stderr !== 'string')) return null;
  return {
    stdout: text(output.stdout),
    stderr: text(output.stderr),
    exitCode: typeof output.exit_code === 'number' ? output.exit_code : null,
    truncated: output.truncated === true,
    files: workFilesIn(output.files),
  };
}

function workFilesIn(files: unknown): readonly WorkFile[] {
  if (!Array.isArray(files)) return [];
  return files.filter(isRecord).filter(({ path }) => text(path) !== '').map(({ path, size_bytes: size }) => ({
    path: text(path), sizeBytes: typeof size === 'number' ? size : 0,
  }));
}

/** The text of a result that is one, with what else is known about it left out. */
export function plainOf(output: unknown): string | null {
  if (typeof output === 'string') return output;
  if (!isRecord(output) || typeof output.text !== 'string') return null;
  return output.truncated === true ? `${output.text}…` : output.text;
}

/** How a call ended that did not work; null where it did, or is still at it. */
export interface Failed {
  /** A program's own exit code; null where the call itself failed. */
  readonly exitCode: number | null;
  /** In a line, and '' where nobody said. */
  readonly why: string;
}

const failedStates: ReadonlySet<string> = new Set(['error', 'denied', 'timeout', 'interrupted']);

export function failedOf(call: ToolCall): Failed | null {
  const terminal = terminalOf(call.output);
  if (failedStates.has(call.status)) {
    return { exitCode: null, why: lastLine(call.error) || lastLine(terminal?.stderr ?? '') };
  }
  if (call.status !== 'success' || terminal === null || !terminal.exitCode) return null;
  return { exitCode: terminal.exitCode, why: lastLine(terminal.stderr) || lastLine(terminal.stdout) };
}

const lineMax = 200;

function lastLine(words: string): string {
  return words.trimEnd().split('\n').at(-1)?.trim().slice(0, lineMax) ?? '';
}
