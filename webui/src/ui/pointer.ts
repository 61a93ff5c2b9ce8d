/** Whether the reader mostly uses a finger, so that a keyboard comes up where there is something to write. */
export function isTouch(): boolean {
  return matchMedia('(pointer: coarse)').matches;
}
