import { expect, test } from 'vitest';
import type { SessionInfo } from '../../kernel/api/types';
import { linesOf } from './session_groups';

const at = (updated_at: string) => ({ session_id: updated_at, updated_at }) as SessionInfo;

test('session groups: each session under its day, each day once', () => {
  const now = new Date(2026, 4, 20, 12);
  const before = (days: number) => at(new Date(2026, 4, 20 - days, 9).toISOString());
  const lines = linesOf([before(0), before(0), before(1), before(3), before(30)], now.getTime());
  expect(lines.map((line) => (line.kind === 'heading' ? line.name : line.at))).toEqual(
    ['Today', 0, 1, 'Yesterday', 2, 'The last seven days', 3, 'Earlier', 4]);
});
