import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeEventSource, fakePage } from '../../testing/fake_page';

let workspace: import('../../kernel/workspace').Workspace;
let imports: import('./imports').Imports;
let toasts: import('../../kernel/toasts').Toasts;
let stateWords: typeof import('./import_words').stateWords;
let summaryOf: typeof import('./import_words').summaryOf;
let hasUnsaved: typeof import('../../kernel/unsaved').hasUnsaved;

interface Asked {
  readonly what: string;
  readonly body: string;
  readonly signal: AbortSignal | null;
  readonly answer: (body: unknown, status?: number, headers?: Record<string, string>) => void;
  readonly lose: () => void;
}

/** An upload that the test answers. */
class FakeUpload {
  static all: FakeUpload[] = [];
  readonly upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
  status = 0;
  responseText = '';
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;
  name = '';
  open(): void {}
  send(form: FormData): void {
    this.name = (form.get('file') as File).name;
    FakeUpload.all.push(this);
  }
  abort(): void {
    this.onabort?.();
  }
  getResponseHeader(): null {
    return null;
  }
  answer(body: unknown, status = 201): void {
    this.status = status;
    this.responseText = JSON.stringify(body);
    this.onload?.();
  }
}

let asked: Asked[];
const settle = () => vi.advanceTimersByTimeAsync(0);
const file = (name: string, text = 'text') => new File([text], name);
const said = () => imports.all.value.map(stateWords);
const made = (id: string, sha256 = id) => [{ id, attachment_id: id, sha256, filename: id, status: 'clean' }];
const kept = (passages: number, more = {}) => ({
  attachment_id: 'a', filename: 'a', passages, truncated: false, again: false, ...more,
});

async function nextUpload(name: string): Promise<FakeUpload> {
  // Reading the first byte of a file takes its turns.
  await vi.waitFor(() => expect(FakeUpload.all.length).toBeGreaterThan(0));
  const upload = FakeUpload.all.shift() as FakeUpload;
  expect(upload.name).toBe(name);
  return upload;
}

async function next(what: RegExp): Promise<Asked> {
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0));
  const request = asked.shift() as Asked;
  expect(request.what).toMatch(what);
  return request;
}

async function nextImport(id: string): Promise<Asked> {
  const request = await next(/^POST memory\/import$/);
  expect(JSON.parse(request.body)).toEqual({ attachment_id: id });
  return request;
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  fakePage();
  vi.stubGlobal('EventSource', FakeEventSource);
  vi.stubGlobal('XMLHttpRequest', FakeUpload);
  FakeUpload.all = [];
  asked = [];
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => new Promise((done, fail) => {
    init.signal?.addEventListener('abort', () => fail(new DOMException('', 'AbortError')));
    asked.push({
      what: `${init.method ?? 'GET'} ${new URL(url).pathname.replace('/sub/v1/', '')}`, body: String(init.body), signal: init.signal ?? null,
      answer: (body, status = 201, headers = {}) => done(new Response(status === 204 ? null : JSON.stringify(body), {
        status, headers: { 'Content-Type': 'application/json', ...headers },
      })),
      lose: () => fail(new TypeError('Failed to fetch')),
    });
  }));
  vi.resetModules();
  const { Workspace } = await import('../../kernel/workspace');
  workspace = new Workspace({ tenant_id: 't', user_id: 'a', role: 'user' });
  ({ stateWords, summaryOf } = await import('./import_words'));
  ({ hasUnsaved } = await import('../../kernel/unsaved'));
  toasts = workspace.of((await import('../../kernel/toasts')).Toasts);
  imports = workspace.of((await import('./imports')).Imports);
});

afterEach(() => {
  workspace.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('imports: one after another, each told how far it is, and at the end how many', async () => {
  imports.add([file('a.pdf', 'x'.repeat(200)), file('b.md'), file('scan.pdf')]);
  const first = await nextUpload('a.pdf');
  first.upload.onprogress?.({ loaded: 60, total: 120 });
  expect(said()).toEqual(['uploading 50 %', 'waiting', 'waiting']);
  expect(hasUnsaved()).toBe(true);
  first.answer(made('A'));
  const reading = await nextImport('A');
  expect(said()).toEqual(['reading', 'waiting', 'waiting']);
  expect(FakeUpload.all).toEqual([]);
  reading.answer(kept(34, { truncated: true }));
  (await nextUpload('b.md')).answer(made('B'));
  (await nextImport('B')).answer(kept(1));
  (await nextUpload('scan.pdf')).answer(made('C'));
  (await nextImport('C')).answer(kept(0), 200);
  await vi.waitFor(() => expect(hasUnsaved()).toBe(false));
  expect(said()).toEqual([
    '34 passages; there was more of it than is kept', '1 passage', 'There is no text in it: nothing is kept.',
  ]);
  // Nobody looks at the list: it is told over the page.
  await vi.waitFor(() => expect(toasts.shown.value.map(({ text }) => text)).toEqual([
    '2 documents are kept, in 35 passages. 1 has no text.',
  ]));
});

test('imports: where somebody looks at the list, nothing is told beside it', async () => {
  imports.look();
  imports.add([file('a.md')]);
  (await nextUpload('a.md')).answer(made('A'));
  (await nextImport('A')).answer(kept(2));
  await vi.waitFor(() => expect(said()).toEqual(['2 passages']));
  await settle();
  expect(toasts.shown.value).toEqual([]);
});

test('imports: what fails says why and holds up no other; tried again, it is not uploaded again', async () => {
  imports.add([file('virus.exe'), file('a.bin'), file('b.md'), file('c.md')]);
  (await nextUpload('virus.exe')).answer({ code: 'upload.type_refused', detail: 'files of this type are not taken' }, 415);
  (await nextUpload('a.bin')).answer(made('A'));
  (await nextImport('A')).answer({ code: 'request.invalid', detail: 'this is no document' }, 422);
  (await nextUpload('b.md')).answer(made('B'));
  (await nextImport('B')).answer({ code: 'quota.exceeded', detail: 'memory.items_max' }, 429);
  (await nextUpload('c.md')).answer(made('C'));
  (await nextImport('C')).answer({ code: 'attachment.expired', detail: 'it is gone' }, 410);
  await vi.waitFor(() => expect(said()).toEqual([
    'Files of this type are not taken.', 'This is no document.',
    'There is no room for all of it, so none is kept: forget some memories first.', 'It is gone.',
  ]));
  expect(summaryOf(imports.all.value)).toBe('Nothing new is kept. 4 could not be imported.');
  imports.retry(3);
  (await nextImport('B')).answer(kept(5, { again: true }), 200);
  imports.retry(4);
  (await nextUpload('c.md')).answer(made('D'));
  (await nextImport('D')).answer(kept(1));
  await vi.waitFor(() => expect(said().slice(2)).toEqual(['is kept already, 5 passages', '1 passage']));
});

test('imports: a server that is busy or away is asked again, after the time it names', async () => {
  imports.add([file('a.md')]);
  (await nextUpload('a.md')).answer(made('A'));
  (await nextImport('A')).answer({ code: 'server.busy', detail: 'others are read' }, 503, { 'Retry-After': '30' });
  await vi.waitFor(() => expect(said()).toEqual(['waiting for the server']));
  await vi.advanceTimersByTimeAsync(29_000);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  (await nextImport('A')).lose();
  await vi.waitFor(() => expect(said()).toEqual(['waiting for the server']));
  await vi.advanceTimersByTimeAsync(8_000);
  (await nextImport('A')).answer(kept(3));
  await vi.waitFor(() => expect(said()).toEqual(['3 passages']));
});

test('imports: what was cancelled while it was read is taken back, and the others go on', async () => {
  imports.add([file('a.md'), file('b.md'), file('c.md')]);
  const sending = await nextUpload('a.md');
  imports.cancel(1);
  sending.upload.onprogress?.({ loaded: 1, total: 2 });
  (await nextUpload('b.md')).answer(made('B'));
  const reading = await nextImport('B');
  imports.cancel(2);
  expect(reading.signal?.aborted).toBe(true);
  (await next(/^DELETE attachments\/B$/)).answer(undefined, 204);
  await nextUpload('c.md');
  imports.cancelAll();
  await vi.waitFor(() => expect(said()).toEqual(['cancelled', 'cancelled', 'cancelled']));
  expect(asked).toEqual([]);
  // What could not be taken back is not said to be gone.
  imports.retry(2);
  (await nextUpload('b.md')).answer(made('D'));
  await nextImport('D');
  imports.cancel(2);
  (await next(/^DELETE attachments\/D$/)).answer({ code: 'policy.denied', detail: 'no' }, 403);
  await vi.waitFor(() => expect(said()[1]).toContain('it may be kept all the same'));
  imports.clear();
  expect(imports.all.value).toEqual([]);
});

test('imports: the same bytes are kept once', async () => {
  imports.add([file('a.md'), file('copy.md')]);
  (await nextUpload('a.md')).answer(made('A', 'same'));
  (await nextImport('A')).answer(kept(7));
  (await nextUpload('copy.md')).answer(made('B', 'same'));
  (await nextImport('A')).answer(kept(7, { again: true }));
  await vi.waitFor(() => expect(said()).toEqual(['7 passages', 'is kept already, 7 passages']));
  expect(asked).toEqual([]);
  expect(summaryOf(imports.all.value)).toBe('1 document is kept, in 7 passages. 1 was kept already.');
});

test('imports: the same bytes are kept anew where they were forgotten since', async () => {
  imports.add([file('a.md')]);
  (await nextUpload('a.md')).answer(made('A', 'same'));
  (await nextImport('A')).answer(kept(7));
  await vi.waitFor(() => expect(said()).toEqual(['7 passages']));
  // Elsewhere, and its file with it.
  imports.add([file('a.md')]);
  (await nextUpload('a.md')).answer(made('B', 'same'));
  (await nextImport('A')).answer({ code: 'attachment.not_found', detail: 'no' }, 404);
  (await nextImport('B')).answer(kept(7));
  await vi.waitFor(() => expect(said()).toEqual(['7 passages', '7 passages']));
  // And here: what is being forgotten is none to be kept again.
  const { Forgets } = await import('./forgets');
  for (const id of ['A', 'B']) {
    workspace.of(Forgets).forgetDocumentWithUndo({
      attachment_id: id, filename: 'a.md', session_id: null, passages: 7, bytes: 90, imported_at: '2026-01-01T00:00:00Z', owner: 'a',
    });
  }
  imports.add([file('a.md')]);
  (await nextUpload('a.md')).answer(made('C', 'same'));
  (await nextImport('C')).answer(kept(7));
  await vi.waitFor(() => expect(said()[2]).toBe('7 passages'));
});

test('imports: what cannot be read here is not sent', async () => {
  const folder = Object.assign(file('folder'), {
    slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('', 'NotReadableError')) }),
  });
  imports.add([folder as unknown as File]);
  await vi.waitFor(() => expect(said()[0]).toContain('cannot be read here'));
  expect(FakeUpload.all).toEqual([]);
});

test('imports: where the session ends it waits for its reader, and is not for the next', async () => {
  const { onSignedOut } = await import('../../kernel/api/http');
  onSignedOut(() => (workspace.isLive.value = false));
  imports.add([file('a.md'), file('b.md')]);
  (await nextUpload('a.md')).answer({ code: 'auth.required', detail: 'no' }, 401);
  await vi.waitFor(() => expect(said()).toEqual(['waiting', 'waiting']));
  workspace.isLive.value = true;
  await nextUpload('a.md');
  workspace.dispose();
  await settle();
  expect([asked, FakeUpload.all]).toEqual([[], []]);
});
