import { texts } from './turn_texts';

interface Said {
  readonly kind: string;
  readonly role?: string | undefined;
  readonly owner?: string | undefined;
}

/** What kind of memory it is, and of what was said, who said it. */
export function whoSaid({ kind, role, owner }: Said, me: string): string {
  if (kind !== 'message') return texts.kinds[kind] ?? kind;
  if (role === 'assistant') return texts.agent;
  if (role !== 'user') return texts.kinds.message ?? kind;
  return owner === undefined || owner === me ? texts.you : texts.other(owner);
}

/** What the document is called that a passage is from; '' where that is not known. */
export function fileOf(place: Readonly<Record<string, unknown>> | null | undefined): string {
  return typeof place?.file === 'string' ? place.file : '';
}

/** Page and heading of the document a passage is from. */
export function placeWords(place: Readonly<Record<string, unknown>> | null | undefined): string {
  if (!place) return '';
  const { page, heading } = place;
  const words = [
    typeof page === 'number' || typeof page === 'string' ? texts.page(String(page)) : '',
    typeof heading === 'string' ? heading : '',
  ];
  return words.filter((word) => word !== '').join(', ');
}

/** The hour of today, the day of another. */
export function whenWords(at: string): string {
  const day = new Date(at);
  if (Number.isNaN(day.getTime())) return '';
  return day.toDateString() === new Date().toDateString()
    ? day.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : day.toLocaleDateString([], { day: 'numeric', month: 'short', year: 'numeric' });
}
