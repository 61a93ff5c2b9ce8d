import { words } from '../../kernel/texts/language';

/** Of tools. */
export const texts = words({
  title: 'Tools',
  hint: 'What agents may do here. A change counts for calls that begin after it.',
  none: 'This server has no tools.',
  find: 'Find a tool',
  show: 'Which tools are shown',
  shown: { all: 'All', on: 'On', off: 'Off' },
  noneFound: 'No tool fits.',
  groupOf: (server: string) => server === '' ? 'This server’s own' : server,
  onOf: (on: number, all: number) => `${on} of ${all} on`,
  allOn: 'Switch all on',
  allOff: 'Switch all off',
  which: 'Which tool',
  noInputs: 'It asks for nothing.',
  run: 'Run',
  asking: 'Asking…',
  notGiven: 'Not given',
  choose: 'Choose',
  enabled: 'Enabled',
  limits: 'Limits and network',
  egress: 'Hosts it may reach, one a line; none: no network',
  unavailable: (why: string) => `It cannot run here: ${why}`,
  executor: { builtin: 'built in', sandbox: 'sandbox', mcp: 'MCP' },
  limit: {
    timeout_ms: 'Time, ms',
    cpu_s: 'Processor, s',
    memory_bytes: 'Memory, bytes',
    output_bytes: 'Output for the model, bytes',
    concurrency: 'Calls at once',
  },
  wrong: {
    choice: 'Choose one.', switch: '', number: 'This is to be a number.', line: '', text: '',
    json: 'This is to be JSON.',
  },
});
