import { asSentence } from '../api/http';

/** What a code of the contract means to the reader; the detail follows it. */
const told: Record<string, string> = {
  'llm.unreachable': 'The model’s provider cannot be reached.',
  'llm.timeout_first_token': 'The model did not begin to answer in time.',
  'llm.timeout_idle': 'The model stopped in the middle of its answer.',
  'llm.auth': 'The model’s provider refused the key it was given.',
  'llm.rate_limited': 'The model’s provider is asking for a break.',
  'llm.context_exceeded': 'The conversation is too long for this model.',
  'llm.interrupted': 'The answer was interrupted too many times.',
  'llm.not_configured': 'No model is set up on this server yet.',
  'llm.bad_stream': 'The model’s provider sent something that is not an answer.',
  'llm.bad_request': 'The model’s provider did not accept the request.',
  'llm.provider_error': 'The model’s provider failed.',
  'turn.timeout': 'This took longer than a turn may take.',
  'turn.limit': 'The agent took more steps than a turn may have.',
  'session.quarantined': 'This session failed several times and was set aside.',
  'policy.denied': 'The server’s policy does not allow this.',
};

export function failureTitle(code: string): string {
  return told[code] ?? 'The answer failed.';
}

export function failureDetail(detail: string): string {
  return detail === '' ? '' : asSentence(detail);
}
