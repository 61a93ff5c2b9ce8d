import { asSentence } from '../../kernel/api/http';
import { t } from '../../kernel/texts/texts';

/** What a code of the contract means to the reader; the detail follows it. */
export function failureTitle(code: string): string {
  return t.failures[code] ?? t.chat.failed;
}

export function failureDetail(detail: string): string {
  return detail === '' ? '' : asSentence(detail);
}
