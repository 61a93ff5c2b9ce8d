import type { ProfileForm } from './profile_form';
import { texts } from './texts';

/** A provider as most people run it: where it listens, and how it is spoken to. */
export interface QuickStart {
  readonly name: string;
  readonly fills: Partial<ProfileForm>;
  readonly modelExample: () => string;
  readonly note: () => string;
}

/** Each is a provider of its own, so that each has a key of its own. */
export const quickStarts: readonly QuickStart[] = [
  {
    name: 'OpenAI',
    fills: {
      base_url: 'https://api.openai.com/v1', kind: 'openai_chat', provider: 'openai',
      context_window: '128000',
    },
    modelExample: () => 'gpt-4.1-mini',
    note: () => texts.quick.openai,
  },
  {
    name: 'Anthropic',
    fills: {
      base_url: 'https://api.anthropic.com/v1', kind: 'anthropic', provider: 'anthropic',
      context_window: '200000',
    },
    modelExample: () => 'claude-sonnet-4-5',
    note: () => texts.quick.anthropic,
  },
  {
    name: 'Ollama',
    fills: { base_url: 'http://localhost:11434/v1', kind: 'openai_chat', provider: 'ollama' },
    modelExample: () => 'llama3.2',
    note: () => texts.quick.ollama,
  },
  {
    name: 'vLLM',
    fills: {
      base_url: 'http://localhost:8000/v1', kind: 'openai_chat', provider: 'vllm',
      resume: 'prefill',
    },
    modelExample: () => 'Qwen/Qwen3-8B',
    note: () => texts.quick.vllm,
  },
  {
    name: 'llama.cpp',
    fills: { base_url: 'http://localhost:8080/v1', kind: 'openai_chat', provider: 'llamacpp' },
    modelExample: () => 'default',
    note: () => texts.quick.llamacpp,
  },
  {
    name: 'LiteLLM',
    fills: { base_url: 'http://localhost:4000/v1', kind: 'openai_chat', provider: 'litellm' },
    modelExample: () => texts.quick.litellmModel,
    note: () => texts.quick.litellm,
  },
];
