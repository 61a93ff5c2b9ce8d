/**
 * Text that grows by pieces placed at UTF-8 byte offsets, as `llm.delta` places them.
 *
 * Immutable. Placing a piece at the end costs the piece (JavaScript engines join strings as
 * ropes); cutting walks back over the pieces that are cut and scans the one it lands in.
 */
export interface ByteText {
  readonly text: string;
  readonly bytes: number;
  /** Where each piece began, newest first. */
  readonly marks: Mark | null;
}

interface Mark {
  readonly byte: number;
  readonly index: number;
  readonly before: Mark | null;
}

export const emptyText: ByteText = { text: '', bytes: 0, marks: null };

export function wholeText(text: string): ByteText {
  return place(emptyText, 0, text);
}

/** Cuts `to` to `offset` bytes, then appends `piece`. An offset past the end leaves a gap. */
export function place(to: ByteText, offset: number, piece: string): ByteText {
  const kept = offset < to.bytes ? cut(to, offset) : to;
  return {
    text: kept.text + piece,
    bytes: offset + utf8Length(piece),
    marks: { byte: offset, index: kept.text.length, before: kept.marks },
  };
}

function cut(from: ByteText, offset: number): ByteText {
  let mark = from.marks;
  let end = from.text.length;
  while (mark && mark.byte >= offset) {
    end = mark.index;
    mark = mark.before;
  }
  if (!mark) return emptyText;
  let index = mark.index;
  let byte = mark.byte;
  while (byte < offset && index < end) {
    const point = from.text.codePointAt(index) ?? 0;
    const next = byte + pointLength(point);
    if (next > offset) break; // never half a code point
    byte = next;
    index += point > 0xffff ? 2 : 1;
  }
  return { text: from.text.slice(0, index), bytes: byte, marks: mark };
}

export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair stands for two of the pair's four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

function pointLength(point: number): number {
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}
