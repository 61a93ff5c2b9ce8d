import { batch, computed, signal } from '@preact/signals';
import { Problem, request, requestTagged, sentence } from '../../kernel/api/http';
import { Resource } from '../../kernel/resource';
import type { Workspace } from '../../kernel/workspace';
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

interface Read {
  readonly profiles: readonly ModelProfile[];
  readonly credentials: readonly Credential[];
  readonly usage: UsageReport;
}

/** The profiles of models, the keys of their providers, what was used, and what came of tests. */
export class Models extends Resource<Read> {
  /** Null until they were read. */
  readonly profiles = computed(() => this.value.value?.profiles ?? null);
  readonly credentials = computed(() => this.value.value?.credentials ?? []);
  readonly usage = computed(() => this.value.value?.usage ?? null);
  /** By name of the profile. */
  readonly tests = signal<ReadonlyMap<string, TestState>>(new Map());
  /** Every provider that a profile or a key names. */
  readonly providers = computed(() => {
    const named = [...(this.profiles.value ?? []), ...this.credentials.value].map((each) => each.provider);
    return [...new Set(named)].sort();
  });
  private running = new AbortController();

  constructor(workspace: Workspace) {
    super(workspace, { path: 'model-profiles', changedBy: ['settings.changed'] });
    workspace.onEnd(() => this.running.abort());
  }

  /** Who opens them again begins with nothing. */
  close(): void {
    this.running.abort();
    this.running = new AbortController();
    batch(() => {
      this.reset();
      this.tests.value = new Map();
    });
  }

  async readProfile(name: string): Promise<TaggedProfile> {
    return tagged(await requestTagged<ModelProfile>(pathOf(name)));
  }

  /** `etag`: of the profile that was seen; null makes a new one. Throws `Problem`. */
  async writeProfile(
    name: string, body: Record<string, unknown>, etag: string | null, keepTest = false,
  ): Promise<TaggedProfile> {
    const answer = etag === null
      ? await requestTagged<ModelProfile>('model-profiles', { method: 'POST', body: { ...body, name } })
      : await requestTagged<ModelProfile>(pathOf(name), { method: 'PUT', body, ifMatch: etag });
    if (!keepTest) this.forgetTest(name);
    void this.read();
    return tagged(answer);
  }

  /** From now on chats are answered by this one. Throws `Problem`. */
  async answerChatsWith(name: string): Promise<void> {
    const { profile, etag } = await this.readProfile(name);
    const holder = chatProfile(this.profiles.peek() ?? []);
    // The configuration's own answers where nothing is preferred: it need not be written over.
    if (profile.source === 'configuration' && name === 'default' && holder?.preferred && holder.source === 'tenant') {
      const { profile: before, etag: its } = await this.readProfile(holder.name);
      await this.writeProfile(holder.name, bodyOf(formOf(before), { ...before, preferred: false }), its);
    } else if (holder?.name !== name) {
      await this.writeProfile(name, bodyOf(formOf(profile), { ...profile, preferred: true }), etag, true);
    }
    await this.read();
  }

  /** As it was before it was written: a profile is saved whole or not at all. */
  async takeBackProfile(before: TaggedProfile | null, written: TaggedProfile): Promise<void> {
    const { name } = written.profile;
    if (before === null || before.profile.source === 'configuration') {
      await request(pathOf(name), { method: 'DELETE', ifMatch: written.etag });
    } else {
      await this.writeProfile(name, bodyOf(formOf(before.profile), before.profile), written.etag);
    }
    await this.read();
  }

  async removeProfile(name: string): Promise<void> {
    await request(pathOf(name), { method: 'DELETE' });
    this.forgetTest(name);
    await this.read();
  }

  /** The key goes to the server here, and comes back from nowhere. */
  async storeKey(provider: string, secret: string): Promise<void> {
    await request(keyPathOf(provider), { method: 'PUT', body: { secret } });
    await this.read();
  }

  async removeKey(provider: string): Promise<void> {
    await request(keyPathOf(provider), { method: 'DELETE' });
    await this.read();
  }

  async testProfile(name: string): Promise<void> {
    const { signal } = this.running;
    this.putTest(name, { phase: 'running' });
    let test: ModelTest;
    try {
      test = await request<ModelTest>('llm/test', { method: 'POST', body: { profile: name }, signal });
    } catch (error) {
      const code = error instanceof Problem ? { code: error.code } : {};
      test = { ok: false, latency_ms: 0, diagnosis: sentence(error), ...code };
    }
    if (signal.aborted) return;
    this.putTest(name, { phase: 'done', test });
    void this.read(); // a test is a call like any other: it counts
  }

  protected override async ask(): Promise<{ body: Read; etag: string }> {
    const [{ profiles }, { credentials }, usage] = await Promise.all([
      request<{ profiles: ModelProfile[] }>('model-profiles'),
      request<{ credentials: Credential[] }>('llm/credentials'),
      request<UsageReport>('usage'),
    ]);
    return { body: { profiles, credentials, usage }, etag: '' };
  }

  private putTest(name: string, state: TestState): void {
    this.tests.value = new Map(this.tests.value).set(name, state);
  }

  private forgetTest(name: string): void {
    const rest = new Map(this.tests.value);
    rest.delete(name);
    this.tests.value = rest;
  }
}

function tagged(answer: { body: ModelProfile; etag: string }): TaggedProfile {
  return { profile: answer.body, etag: answer.etag };
}

function pathOf(name: string): string {
  return `model-profiles/${encodeURIComponent(name)}`;
}

function keyPathOf(provider: string): string {
  return `llm/credentials/${encodeURIComponent(provider)}`;
}
