import { expect, test, vi } from 'vitest';

vi.mock('./sanitize', () => ({ sanitize: (html: string) => html }));
vi.mock('../api/http', () => ({ apiUrl: (path: string) => `http://soma.test/v1/${path}` }));
const { GrowingMarkdown, renderWhole } = await import('./blocks');

const html = (text: string) =>
  renderWhole(text).map((block) => (block.kind === 'html' ? block.html : '')).join('').trim();

test('math: formulas are told from prices', () => {
  expect(html('From $5 to $6, and $a^2+b^2$ is')).toBe(
    '<p>From $5 to $6, and <code class="math">a^2+b^2</code> is</p>');
  expect(html('costs $5 and $6')).toBe('<p>costs $5 and $6</p>');
  expect(html('from $5 to 6$7')).toBe('<p>from $5 to 6$7</p>');
  expect(html('`$x$` is code')).toContain('<code>$x$</code>');
});

test('math: what stands alone and what stands in a line, in both notations', () => {
  expect(html('$$\\frac{1}{2}$$')).toContain('<code class="math alone">\\frac{1}{2}</code>');
  expect(html('\\[x\n+y\\]')).toContain('<code class="math alone">x\n+y</code>');
  expect(html('so \\(x<y\\) holds')).toContain('<code class="math">x&#60;y</code>');
});

test('math: marks of Markdown in a formula are the formula’s', () => {
  expect(html('$a_1 * b_2 * c_3$')).toContain('<code class="math">a_1 * b_2 * c_3</code>');
});

test('growing markdown: what a reference at the end means is known when the text is whole', () => {
  const text = '[one][a] and more\n\nmore\n\nstill more\n\nthe last\n\n[a]: https://x.invalid/\n';
  const growing = new GrowingMarkdown();
  for (let i = 1; i <= text.length; i++) growing.render(text.slice(0, i));
  expect(growing.finish(text)).toEqual(renderWhole(text));
});

test('math: a growing text comes to the same as the whole', () => {
  const text = 'First $a_b$.\n\n$$\nx^2\n$$\n\nThen \\(y\\) and $5.\n';
  const growing = new GrowingMarkdown();
  let last: unknown;
  for (let i = 1; i <= text.length; i++) last = growing.render(text.slice(0, i));
  expect(last).toEqual(renderWhole(text));
});
