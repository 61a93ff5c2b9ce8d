import type { ProfileForm } from './profile_form';

/** A provider as most people run it: where it listens, and how it is spoken to. */
export interface QuickStart {
  readonly name: string;
  readonly fills: Partial<ProfileForm>;
  readonly modelExample: string;
  readonly note: string;
}

/** Each is a provider of its own, so that each has a key of its own. */
export const quickStarts: readonly QuickStart[] = [
  {
    name: 'OpenAI',
    fills: {
      base_url: 'https://api.openai.com/v1', kind: 'openai_chat', provider: 'openai',
      context_window: '128000',
    },
    modelExample: 'gpt-4.1-mini',
    note: 'Needs an API key of your OpenAI account.',
  },
  {
    name: 'Anthropic',
    fills: {
      base_url: 'https://api.anthropic.com/v1', kind: 'anthropic', provider: 'anthropic',
      context_window: '200000',
    },
    modelExample: 'claude-sonnet-4-5',
    note: 'Needs an API key of your Anthropic account.',
  },
  {
    name: 'Ollama',
    fills: { base_url: 'http://localhost:11434/v1', kind: 'openai_chat', provider: 'ollama' },
    modelExample: 'llama3.2',
    note: 'No key. Its context is as long as OLLAMA_CONTEXT_LENGTH says: set the same below.',
  },
  {
    name: 'vLLM',
    fills: {
      base_url: 'http://localhost:8000/v1', kind: 'openai_chat', provider: 'vllm',
      resume: 'prefill',
    },
    modelExample: 'Qwen/Qwen3-8B',
    note: 'A key only if it was started with --api-key. It can go on in the middle of an answer.',
  },
  {
    name: 'llama.cpp',
    fills: { base_url: 'http://localhost:8080/v1', kind: 'openai_chat', provider: 'llamacpp' },
    modelExample: 'default',
    note: 'llama-server answers with the model it was started with, whatever the name.',
  },
  {
    name: 'LiteLLM',
    fills: { base_url: 'http://localhost:4000/v1', kind: 'openai_chat', provider: 'litellm' },
    modelExample: 'the model_name of its configuration',
    note: 'The key is LiteLLM’s master key, or a virtual key of it.',
  },
];
