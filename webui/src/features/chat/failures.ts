import { asSentence } from '../../kernel/api/http';
import { texts } from './texts';

/** What a code of the contract means to the reader, and a rule of the server's own; the detail follows it. */
export function failureTitle(code: string, rule = ''): string {
  return texts.rules[rule] ?? texts.failures[code] ?? texts.chat.failed;
}

/** Without the rule's name before it, which is told by itself. */
export function failureDetail(detail: string, rule = ''): string {
  const prefix = `rule ${rule}: `;
  const words = rule !== '' && detail.startsWith(prefix) ? detail.slice(prefix.length) : detail;
  return words === '' ? '' : asSentence(words);
}
