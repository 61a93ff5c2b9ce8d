import { expect, test } from 'vitest';
import type { ToolCall } from './state';
import { failedOf, plainOf, programOf, terminalOf } from './tool_view';

const call = (more: Partial<ToolCall>): ToolCall => ({
  kind: 'tool', id: 'c', toolId: 'code_execute', inputs: {}, status: 'success', requestedBy: 'model', startedAt: '',
  progress: '', output: undefined, error: '', errorCode: '', rule: '', durationMs: 5, ...more,
});
const ran = (exit_code: number, stderr = '', stdout = '') => call({ output: { exit_code, stdout, stderr, files: [] } });

test('tool view: a program that ended with another code than 0 failed, and its last words say why', () => {
  expect(failedOf(ran(0, 'a warning'))).toBeNull();
  expect(failedOf(ran(1, 'Traceback:\n  line 1\nValueError: no\n\n'))).toEqual({ exitCode: 1, why: 'ValueError: no' });
  expect(failedOf(ran(3, '', 'out\nlast'))).toEqual({ exitCode: 3, why: 'last' });
  expect(failedOf(ran(137))).toEqual({ exitCode: 137, why: '' });
  expect(failedOf(ran(1, 'x'.repeat(10_000)))?.why).toHaveLength(200);
});

test('tool view: a call that failed says why; one that runs, or was stopped by the reader, did not', () => {
  expect(failedOf(call({ status: 'timeout', error: 'it ran longer than its 5 milliseconds' }))?.why).toContain('longer');
  expect(failedOf(call({ status: 'error', output: { stdout: '', stderr: 'boom' } }))).toEqual({ exitCode: null, why: 'boom' });
  for (const status of ['running', 'cancelled', 'success']) expect(failedOf(call({ status }))).toBeNull();
});

test('tool view: code, terminals and texts are told from other values', () => {
  expect(programOf({ language: 'node', code: 'x' })).toEqual({ language: 'javascript', code: 'x', stdin: '' });
  for (const inputs of [null, 'x', { code: 5 }, { text: 'x' }]) expect(programOf(inputs)).toBeNull();
  expect(terminalOf({ stdout: 'a', files: [{ path: 'b.csv', size_bytes: 3 }, { path: 5 }, 'x'] })).toEqual({
    stdout: 'a', stderr: '', exitCode: null, truncated: false, files: [{ path: 'b.csv', sizeBytes: 3 }],
  });
  for (const output of [undefined, 'x', { exit_code: 1 }, { stdout: 1 }]) expect(terminalOf(output)).toBeNull();
  expect([plainOf('x'), plainOf({ text: 'y', truncated: true }), plainOf({ result: 42 })]).toEqual(['x', 'y…', null]);
});
