import { count, language, words } from '../../kernel/texts/language';

/** Of the Audit view. */
export const texts = words({
  back: 'Back to the chat',
  region: 'What was done',
  again: 'Look again',
  exportAll: 'Export all as NDJSON',
  exportThese: 'Export these as NDJSON',

  signed: (seq: number, when: string, key: string) =>
    `Signed up to record ${seq.toLocaleString(language)}, ${when}, by key ${key}.`,
  check: 'The server checks the whole chain with soma audit verify.',

  filters: 'Filters',
  who: 'Who',
  anyWho: 'Anybody',
  what: 'What',
  anyWhat: 'Anything, or memory.*',
  session: 'Chat',
  anySession: 'Id of a chat',
  request: 'Request',
  anyRequest: 'Id of a request',
  from: 'From',
  to: 'Before',
  clear: 'Clear the filters',

  none: 'Nothing was recorded yet.',
  noneFits: 'No record fits.',
  listed: (n: number, isAll: boolean) =>
    isAll ? `${count(n, 'record', 'records')}, the newest first.` : `The newest ${n.toLocaleString(language)} of more.`,
  readOn: 'Show older ones',

  nobody: 'the server',
  outcomes: {
    done: 'done', ok: 'done', success: 'done', failed: 'failed', error: 'failed', denied: 'denied',
    unavailable: 'not asked', interrupted: 'interrupted', cancelled: 'cancelled', warned: 'warned',
  } as Readonly<Record<string, string>>,
  details: 'Details',
  detailsOf: (what: string, seq: number) => `Details of ${what}, record ${seq.toLocaleString(language)}`,
  ofChat: 'All of this chat',
  ofRequest: 'All of this request',
  ofUser: 'All of this user',
  openChat: 'Open the chat',
  changed: 'What was changed',
  member: 'What',
  before: 'Before',
  now: 'Since',
  whole: 'The record as it is kept',
  facts: {
    seq: 'Record', at: 'Recorded', when: 'Began', user: 'User', role: 'Role', key: 'API key', tenant: 'Tenant',
    why: 'Why', operation: 'Operation', door: 'Door', status: 'Status', resource: 'About', session: 'Chat',
    request: 'Request', trace: 'Trace',
  },
});
