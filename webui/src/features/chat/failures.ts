import { asSentence } from '../../kernel/api/http';
import { texts } from './texts';

/** What a code of the contract means to the reader; the detail follows it. */
export function failureTitle(code: string): string {
  return texts.failures[code] ?? texts.chat.failed;
}

export function failureDetail(detail: string): string {
  return detail === '' ? '' : asSentence(detail);
}
