import { language, words } from '../../kernel/texts/language';

/** English, of the settings of models: apart, since nobody needs it to read a chat. */
export const texts = words({
  labels: {
    name: 'Name',
    role: 'Role',
    base_url: 'Base URL',
    model: 'Model',
    kind: 'Kind of API',
    provider: 'Provider',
    context_window: 'Context window',
    'parameters.temperature': 'Temperature',
    'parameters.top_p': 'Top p',
    'parameters.max_tokens': 'Answer at most',
    'parameters.reasoning_effort': 'Reasoning effort',
    'prices.input': 'Input',
    'prices.cached_input': 'Cached input',
    'prices.output': 'Output',
    images: 'Pictures',
    resume: 'After an interruption',
    fallbacks: 'Fallbacks',
    enabled: 'Enabled',
  },

  rules: {
    word: 'Use a to z, 0 to 9, dots, dashes and underscores; a letter or digit first.',
    number: (whole: boolean, least: number, most: number) =>
      `${whole ? 'A whole number' : 'A number'} from ${least} to ${most.toLocaleString(language)}.`,
    base_url: 'An address that begins with http:// or https://, without spaces.',
    model: 'The model’s name, as the provider knows it.',
    effort: 'At most 64 characters.',
    resume: 'The Responses API does not go on from a given text.',
    fallbacks: 'At most eight names of profiles.',
    other: 'This is not allowed here.',
    nameTaken: 'There is a profile of this name already.',
  },

  hints: {
    name: 'Callers use it as the model’s name.',
    role: 'Chats ask for dialogue; the list of models says which of those answers them.',
    context: 'Tokens the model takes, its answer included.',
    tokens: 'Tokens.',
    temperature: '0 to 2.',
    top_p: '0 to 1.',
    effort: 'Low, medium, high, or the provider’s own word.',
    images: 'Whether attached pictures are given to the model.',
    resume: 'Going on needs a provider that continues a given text.',
    provider: 'Whose key is sent, and under what name it is counted.',
    fallbacks: 'Tried in this order when the provider fails before its first word.',
    asProvider: 'as the provider likes',
    asAddress: 'as the address says',
    asInput: 'as input',
    example: (model: string) => `for example ${model}`,
  },

  kinds: {
    auto: 'As the address says',
    openai_chat: 'OpenAI chat completions',
    openai_responses: 'OpenAI Responses',
    anthropic: 'Anthropic Messages',
  },
  images: { auto: 'As the provider is known', yes: 'Given to the model', no: 'Left out' },
  resumes: { restart: 'Begin the answer anew', prefill: 'Go on from its text' },

  quick: {
    title: 'Quick start',
    openai: 'Needs an API key of your OpenAI account.',
    anthropic: 'Needs an API key of your Anthropic account.',
    ollama: 'No key. Its context is as long as OLLAMA_CONTEXT_LENGTH says: set the same below.',
    vllm: 'A key only if it was started with --api-key. It can go on in the middle of an answer.',
    llamacpp: 'llama-server answers with the model it was started with, whatever the name.',
    litellm: 'The key is LiteLLM’s master key, or a virtual key of it.',
    litellmModel: 'the model_name of its configuration',
  },

  list: {
    title: 'Profiles',
    add: 'Add a profile',
    none: 'No model is set up yet. Add a profile to begin.',
    noneAnswers: 'None of these answers chats: enable one with the role “dialogue”.',
    reading: 'Reading the settings',
    answersChats: 'answers chats',
    answersChatsWith: (name: string) => `Answer chats with “${name}”`,
    off: 'off',
    at: (provider: string) => `at ${provider}`,
    configured: ' · from the server’s configuration',
    then: (names: string) => ` · then ${names}`,
    edit: 'Edit',
    editThe: (name: string) => `Edit “${name}”`,
    deleteThe: (name: string) => `Delete “${name}”`,
    deleteQuestion: 'Delete this profile?',
    keep: 'Keep it',
    deleteText: (name: string, provider: string) =>
      `“${name}” will be gone; the key of ${provider} stays. If the server’s configuration ` +
      'has a profile of this name, that one counts again.',
  },

  editor: {
    back: 'All models',
    new: 'New profile',
    fromConfiguration:
      'This one comes from the server’s configuration. What you save here counts in its place.',
    apiKey: 'API key',
    keepKey: 'Leave empty to keep the stored one',
    noKey: 'Leave empty for none',
    keyHint: 'Stored encrypted, never shown again.',
    keyOf: (provider: string) => ` For all profiles of ${provider}.`,
    more: 'Limits, parameters, prices, fallbacks',
    prices: 'Prices, in US dollars a million tokens',
    leave: 'Back',
    saveAndTest: 'Save and test',
    gone: 'This profile was deleted meanwhile. Saving makes it anew.',
    discardQuestion: 'Discard your changes?',
    discard: 'Discard',
    keepEditing: 'Keep editing',
    discardText: 'What you changed in this profile is not saved.',
    halfSaved: 'The profile was stored, but its key was not.',
    shareQuestion: (provider: string) => `Send the key of ${provider} to another address?`,
    shareText: (others: string, here: string) =>
      `It is used at ${others}. Saved like this, it is sent to ${here}, too. To keep keys apart, name ` +
      `another provider under “Limits, parameters, prices, fallbacks”.`,
    share: 'Send it there, too',
    remove: (name: string) => `Remove “${name}”`,
    noOther: 'There is no other profile',
    addFallback: 'Add a profile…',
  },

  conflict: {
    title: 'This profile was changed while you edited it.',
    isNow: 'is now',
    theirs: 'Take theirs, drop mine',
    mine: 'Save mine over it',
    yes: 'yes',
    no: 'no',
    notSet: 'not set',
  },

  test: {
    test: 'Test',
    testThe: (name: string) => `Test “${name}”`,
    testing: 'Testing…',
    fails: 'It does not work',
    works: (first: string, whole: string) => first === ''
      ? `It works. The whole answer in ${whole}.`
      : `It works. First word after ${first}, whole answer in ${whole}.`,
    offers: (n: number) =>
      n === 1 ? 'The provider offers one model:' : `The provider offers ${n} models:`,
    more: (n: number) => `and ${n} more`,
    use: (model: string) => `Use ${model}`,
    useForChats: 'Use this for chats',
    answersChats: 'It answers chats.',
    noKey: (provider: string) => `No key is stored for ${provider}.`,
  },

  keys: {
    title: 'Keys',
    hint: 'A key is stored encrypted and is never shown again. Without one here, the server’s ' +
      'environment may have one.',
    none: 'No key is stored.',
    replace: 'Replace',
    replaceOf: (provider: string) => `Replace the key of ${provider}`,
    add: 'Add the key',
    addOf: (provider: string) => `Add the key of ${provider}`,
    remove: 'Remove',
    removeOf: (provider: string) => `Remove the key of ${provider}`,
    keyOf: (provider: string) => `Key of ${provider}`,
    paste: 'Paste the key',
    store: 'Store',
    storing: 'Storing…',
    removeQuestion: 'Remove this key?',
    keep: 'Keep it',
    removeText: (provider: string) =>
      `Profiles of ${provider} will call without it. It cannot be brought back from here.`,
    cannotStore: 'This server cannot store keys: start it with GATEWAY_ENC_KEY set.',
    bad: 'A key has no spaces and no characters outside ASCII.',
    line: (fingerprint: string, since: string) =>
      `A key is stored: fingerprint ${fingerprint}, ${since}.`,
    replaced: (day: string) => `replaced ${day}`,
    since: (day: string) => `since ${day}`,
  },

  usage: {
    of: (used: string, cap: string) => (cap === '' ? used : `${used} of ${cap}`),
    tokens: (used: string) => `${used} tokens`,
    running: (n: number) => (n === 1 ? 'one call running' : `${n} calls running`),
    runningOf: (n: number, cap: number) => `${n} of ${cap} calls running`,
    pace: (calls: string) => `at most ${calls} calls a minute`,
    noCaps: 'no caps',
    today: (parts: string) => `Today: ${parts}.`,
  },
});
