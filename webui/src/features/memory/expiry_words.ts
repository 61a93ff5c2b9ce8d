import { texts } from './texts';
import { whenWords } from './who';

/** When a memory goes by itself; '' where it stays. */
export function expiryWords(expiresAt: string | null | undefined): string {
  const at = new Date(expiresAt ?? '');
  if (Number.isNaN(at.getTime())) return '';
  const isToday = at.toDateString() === new Date().toDateString();
  const when = whenWords(at.toISOString());
  return isToday ? texts.item.expiresToday(when) : texts.item.expires(when);
}
