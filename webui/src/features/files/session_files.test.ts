import { beforeAll, expect, test } from 'vitest';
import type { Envelope } from '../../kernel/api/types';
import { fakePage } from '../../testing/fake_page';

let files: typeof import('./session_files');

beforeAll(async () => {
  fakePage();
  files = await import('./session_files');
});

test('files are found in messages and in what tools left, each once, the newest first', () => {
  let seq = 0;
  const event = (type: string, payload: Record<string, unknown>): Envelope =>
    ({ meta: { event_id: `1.${++seq}`, created_at: `t${seq}` }, type, payload });
  const found = files.filesNamedIn([
    event('message.user', { text: 'look', attachments: [{ id: 'a' }, { id: 'b' }, {}, 7] }),
    event('tool.call', { tool_call_id: 'c1', tool_id: 'code_execute' }),
    event('tool.result', { tool_call_id: 'c1', output: { files: [{ attachment_id: 'c' }, { attachment_id: 'a' }] } }),
    event('tool.result', { tool_call_id: 'unknown', output: { attachment_id: 'd' } }),
    event('message.user', { text: 'again', attachments: [{ id: 'b' }] }),
    event('message.user', { text: 'none', attachments: 'x' }),
  ]);
  expect(found).toEqual([
    { id: 'd', said: '', toolId: '', at: 't4' },
    { id: 'c', said: '', toolId: 'code_execute', at: 't3' },
    { id: 'b', said: 'look', toolId: '', at: 't1' },
    { id: 'a', said: 'look', toolId: '', at: 't1' },
  ]);
});

test('the name of a file is read from its header, in either form', () => {
  expect(files.filenameOf(`attachment; filename="plain.txt"; filename*=UTF-8''gr%C3%BCn.txt`)).toBe('grün.txt');
  expect(files.filenameOf('attachment; filename="a \\"b\\".txt"')).toBe('a "b".txt');
  expect(files.filenameOf(`attachment; filename="x"; filename*=UTF-8''%zz`)).toBe('x');
  expect(files.filenameOf('inline')).toBe('');
});
