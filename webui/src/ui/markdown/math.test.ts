import { expect, test, vi } from 'vitest';

vi.mock('./sanitize', () => ({ sanitize: (html: string) => html }));
vi.mock('../../kernel/api/http', () => ({ apiUrl: (path: string) => `http://soma.test/v1/${path}` }));
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

const hasMath = (text: string) => html(text).includes('class="math');

test.each([
  'pay 3$/month or 30$/year', 'US$5 and A$6', '$5/$6', 'between 5$ and 10$', '$5 and 10$ are both right',
  'cd $HOME/src:$GOPATH', 'export $A_B=$C_D', 'copy $src/$dst there', '`echo $HOME` costs $', '$HOME or `$PATH`',
  'see \\[12\\], \\[3, 4\\]', '\\[1\\]', 'a \\[citation needed\\]', '- \\[x\\] done', 'the \\(optional\\) part',
  'as \\(see the appendix\\) says', 'arr$[0] and obj$.x$y',
])('math: none is in %s', (text) => {
  expect(hasMath(text)).toBe(false);
});

test.each([
  '变量$x$是', 'the $n$th of all $x$s', '($y$)', '“$z$”', '$5 + 3$', '$2 \\text{ and } 3$', '$x$, $y$', '**$a$**',
  'so \\[ a = b \\] holds', '\\(x\\)', '\\(5\\)', '\\[E\\]', '$\\alpha$-decay', '$$x$$', 'is $-1$.',
])('math: one is in %s', (text) => {
  expect(hasMath(text)).toBe(true);
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
