import { expect, test, vi } from 'vitest';

vi.mock('./sanitize', () => ({ sanitize: (html: string) => html }));
vi.mock('../../kernel/api/http', () => ({ apiUrl: (path: string) => `http://soma.test/v1/${path}` }));
const { renderWhole } = await import('./blocks');

const html = (text: string) =>
  renderWhole(text).map((block) => (block.kind === 'html' ? block.html : '')).join('').trim()
    .replace(/^<p>|<\/p>$/g, '');

test.each([
  ['彼は**「はい」**と言った', '彼は<strong>「はい」</strong>と言った'],
  ['**注意！**请看', '<strong>注意！</strong>请看'],
  ['**강조(强調)**는', '<strong>강조(强調)</strong>는'],
  ['*「斜体」*です', '<em>「斜体」</em>です'],
  ['**Note:**text', '<strong>Note:</strong>text'],
  ['**`code`**s and (**a.**b)', '<strong><code>code</code></strong>s and (<strong>a.</strong>b)'],
  ['**一、*二*。**三', '<strong>一、<em>二</em>。</strong>三'],
  ['**看「[链接](https://a.test)」**吧', '<strong>看「<a href="https://a.test">链接</a>」</strong>吧'],
  ['**😀**好', '<strong>😀</strong>好'],
])('emphasis: %s', (text, expected) => {
  expect(html(text)).toBe(expected);
});

test.each([
  'x**-1 and y**-2', 'f(**kw) and g(**kw)', '2**(3)**4', '** a **', 'a * b * c', '5*(3+2)*4', '**open. and no end',
  '2 ** 3 ** 4', 'f(*args)*x',
])('emphasis: none is in %s', (text) => {
  expect(html(text)).toBe(text);
});

test.each([
  ['**bold** and *em* and ***both***', '<strong>bold</strong> and <em>em</em> and <em><strong>both</strong></em>'],
  ['**a **b** c**', '<strong>a <strong>b</strong> c</strong>'],
  ['snake_case_name and __init__', 'snake_case_name and <strong>init</strong>'],
])('emphasis: what CommonMark sees stays: %s', (text, expected) => {
  expect(html(text)).toBe(expected);
});

test.each(['3~5 days, 20~40', 'from ~/a to ~/b', '~~~', '~a~'])('emphasis: one tilde strikes nothing: %s', (text) => {
  expect(html(text)).not.toContain('<del>');
});

test('emphasis: two tildes strike', () => {
  expect(html('a ~~b~~ c')).toBe('a <del>b</del> c');
});
