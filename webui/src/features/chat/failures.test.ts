import { beforeAll, expect, test } from 'vitest';
import { fakePage } from '../../testing/fake_page';

let failureTitle: typeof import('./failures').failureTitle;
let failureDetail: typeof import('./failures').failureDetail;

beforeAll(async () => {
  fakePage();
  ({ failureTitle, failureDetail } = await import('./failures'));
});

test('failures: a rule of the server’s own says more than the code that it comes with', () => {
  expect(failureTitle('policy.denied', 'egress.pii')).toBe('Held back: there is personal data in it.');
  expect(failureTitle('policy.denied', 'no-sums')).toBe(failureTitle('policy.denied'));
  expect(failureTitle('nobody.knows', 'no-sums')).toBe('The answer failed.');
});

test('failures: the rule’s name is not told twice, and only where it is that rule’s', () => {
  expect(failureDetail('rule egress.pii: it holds some (mail: 1)', 'egress.pii')).toBe('It holds some (mail: 1).');
  expect(failureDetail('rule egress.pii: it holds some', '')).toBe('Rule egress.pii: it holds some.');
  expect(failureDetail('', 'egress.pii')).toBe('');
});
