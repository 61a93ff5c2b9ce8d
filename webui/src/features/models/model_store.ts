import { computed, signal } from '@preact/signals';
import { Problem, request, requestTagged, sentence } from '../../kernel/api/http';
import { bodyOf, chatProfile, formOf } from './profile_form';
import type { Credential, ModelProfile, ModelTest, UsageReport } from '../../kernel/api/types';

/** A profile with the tag it must still have when it is written. */
export interface TaggedProfile {
  readonly profile: ModelProfile;
  readonly etag: string;
}

export type TestState =
  | { readonly phase: 'running' }
  | { readonly phase: 'done'; readonly test: ModelTest };

/** Null until they were read. */
export const profiles = signal<readonly ModelProfile[] | null>(null);
export const credentials = signal<readonly Credential[]>([]);
export const usage = signal<UsageReport | null>(null);
/** Why what is shown may not be what there is. */
export const readProblem = signal('');
/** By name of the profile. */
export const tests = signal<ReadonlyMap<string, TestState>>(new Map());

/** Every provider that a profile or a key names. */
export const providers = computed(() => {
  const named = [...(profiles.value ?? []), ...credentials.value].map((each) => each.provider);
  return [...new Set(named)].sort();
});

let lastRead = 0;
let running = new AbortController();

export async function readModels(): Promise<void> {
  const turn = ++lastRead;
  try {
    const [list, keys, report] = await Promise.all([
      request<{ profiles: ModelProfile[] }>('model-profiles'),
      request<{ credentials: Credential[] }>('llm/credentials'),
      request<UsageReport>('usage'),
    ]);
    if (turn !== lastRead) return;
    profiles.value = list.profiles;
    credentials.value = keys.credentials;
    usage.value = report;
    readProblem.value = '';
  } catch (error) {
    if (turn === lastRead) readProblem.value = sentence(error);
  }
}

/** The next reader of the page starts with nothing. */
export function forgetModels(): void {
  lastRead++;
  running.abort();
  running = new AbortController();
  profiles.value = null;
  credentials.value = [];
  usage.value = null;
  tests.value = new Map();
  readProblem.value = '';
}

export async function readProfile(name: string): Promise<TaggedProfile> {
  return tagged(await requestTagged<ModelProfile>(pathOf(name)));
}

/** `etag`: of the profile that was seen; null makes a new one. Throws `Problem`. */
export async function writeProfile(
  name: string, body: Record<string, unknown>, etag: string | null, keepTest = false,
): Promise<TaggedProfile> {
  const answer = etag === null
    ? await requestTagged<ModelProfile>('model-profiles', { method: 'POST', body: { ...body, name } })
    : await requestTagged<ModelProfile>(pathOf(name), { method: 'PUT', body, ifMatch: etag });
  if (!keepTest) forgetTest(name);
  void readModels();
  return tagged(answer);
}

/** From now on chats are answered by this one. Throws `Problem`. */
export async function answerChatsWith(name: string): Promise<void> {
  const { profile, etag } = await readProfile(name);
  const holder = chatProfile(profiles.peek() ?? []);
  // The configuration's own answers where nothing is preferred: it need not be written over.
  if (profile.source === 'configuration' && name === 'default' && holder?.preferred && holder.source === 'tenant') {
    const { profile: before, etag: its } = await readProfile(holder.name);
    await writeProfile(holder.name, bodyOf(formOf(before), { ...before, preferred: false }), its);
  } else if (holder?.name !== name) {
    await writeProfile(name, bodyOf(formOf(profile), { ...profile, preferred: true }), etag, true);
  }
  await readModels();
}

/** As it was before it was written: a profile is saved whole or not at all. */
export async function takeBackProfile(before: TaggedProfile | null, written: TaggedProfile): Promise<void> {
  const { name } = written.profile;
  if (before === null || before.profile.source === 'configuration') {
    await request(pathOf(name), { method: 'DELETE', ifMatch: written.etag });
  } else {
    await writeProfile(name, bodyOf(formOf(before.profile), before.profile), written.etag);
  }
  await readModels();
}

export async function removeProfile(name: string): Promise<void> {
  await request(pathOf(name), { method: 'DELETE' });
  forgetTest(name);
  await readModels();
}

/** The key goes to the server here, and comes back from nowhere. */
export async function storeKey(provider: string, secret: string): Promise<void> {
  await request(keyPathOf(provider), { method: 'PUT', body: { secret } });
  await readModels();
}

export async function removeKey(provider: string): Promise<void> {
  await request(keyPathOf(provider), { method: 'DELETE' });
  await readModels();
}

export async function testProfile(name: string): Promise<void> {
  const { signal } = running;
  putTest(name, { phase: 'running' });
  let test: ModelTest;
  try {
    test = await request<ModelTest>('llm/test', { method: 'POST', body: { profile: name }, signal });
  } catch (error) {
    const code = error instanceof Problem ? { code: error.code } : {};
    test = { ok: false, latency_ms: 0, diagnosis: sentence(error), ...code };
  }
  if (signal.aborted) return;
  putTest(name, { phase: 'done', test });
  void readModels(); // a test is a call like any other: it counts
}

function tagged(answer: { body: ModelProfile; etag: string }): TaggedProfile {
  return { profile: answer.body, etag: answer.etag };
}

function putTest(name: string, state: TestState): void {
  tests.value = new Map(tests.value).set(name, state);
}

function forgetTest(name: string): void {
  const rest = new Map(tests.value);
  rest.delete(name);
  tests.value = rest;
}

function pathOf(name: string): string {
  return `model-profiles/${encodeURIComponent(name)}`;
}

function keyPathOf(provider: string): string {
  return `llm/credentials/${encodeURIComponent(provider)}`;
}
