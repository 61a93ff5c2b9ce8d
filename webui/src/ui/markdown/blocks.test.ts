import { describe, expect, test, vi } from 'vitest';
import { GrowingMarkdown, renderWhole, type Block } from './blocks';

// There is no document here to sanitize with; the browser's tests ask the sanitizer itself. What it
// answered is marked, so that what goes round it shows.
vi.mock('./sanitize', () => ({ sanitize: (html: string) => `⟦${html}⟧` }));
vi.mock('../../kernel/api/http', () => ({ apiUrl: (path: string) => `http://soma.test/v1/${path}` }));

const sample = `# A title

Some *text* with \`code\`, a [link](https://example.org) and
a second line.

Setext
------

1. one
2. two

   still two

3. three
   - nested
   - list

| a | b |
|--|--:|
| 1 | 2 |

\`\`\`js
const a = 1;

const b = \`\${a}\`;
\`\`\`

> quoted
goes on

<details>
<summary>More</summary>
</details>

- loose

- list

***

Grüße 漢字 👋
`;

function shown(blocks: readonly Block[]): string {
  return blocks.map((b) => (b.kind === 'code' ? `[${b.language}]${b.code}` : b.html)).join('');
}

test('all that is shown as HTML went through the sanitizer', () => {
  const all = [...renderWhole(sample), ...new GrowingMarkdown().render(sample)];
  const html = all.flatMap((block) => (block.kind === 'html' ? [block.html] : []));
  expect(html.length).toBeGreaterThan(10);
  for (const one of html) expect(one).toMatch(/^⟦[^⟦⟧]*⟧$/);
});

describe('growing markdown', () => {
  test('ends as the whole text does, however it was cut', () => {
    const whole = shown(renderWhole(sample));
    for (let step = 1; step < 40; step++) {
      const growing = new GrowingMarkdown();
      let blocks: readonly Block[] = [];
      for (let end = step; end < sample.length + step; end += step) {
        blocks = growing.render(sample.slice(0, end));
      }
      expect(shown(blocks)).toBe(whole);
    }
  });

  test('keeps the blocks that cannot change any more', () => {
    const growing = new GrowingMarkdown();
    const before = growing.render('one\n\ntwo\n\nthree\n\nfou');
    const after = growing.render('one\n\ntwo\n\nthree\n\nfour');
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe(before[1]);
  });

  test('begins anew when the text was cut', () => {
    const growing = new GrowingMarkdown();
    growing.render('one\n\ntwo\n\nthree\n\nfour');
    expect(shown(growing.render('one\n\nzwei'))).toBe(shown(renderWhole('one\n\nzwei')));
  });

  test('does not lose its place over other line ends', () => {
    const growing = new GrowingMarkdown();
    const text = 'one\r\n\r\ntwo\r\n\r\nthree\r\n\r\nfour';
    for (let end = 1; end <= text.length; end++) growing.render(text.slice(0, end));
    expect(shown(growing.render(text))).toBe(shown(renderWhole(text)));
  });

  test('shows an open fence as code from its first line', () => {
    const [block] = new GrowingMarkdown().render('```py\nprint(1)');
    expect(block).toEqual({ kind: 'code', language: 'py', code: 'print(1)' });
  });

  test('XML that nobody fenced keeps its lines', () => {
    expect(shown(renderWhole('Here:\n\n<config>\n  <name>x</name>\n</config>\n\nafter'))).toContain(
      '⟦<p>&#60;config&#62;<br>\n&#160;&#160;&#60;name&#62;x&#60;/name&#62;<br>\n&#60;/config&#62;</p>\n⟧',
    );
    expect(shown(renderWhole('<details><summary>S</summary>\n\nb\n\n</details>'))).not.toContain('<br>');
  });

  test('shows raw HTML as it was written, but for plain formatting', () => {
    const html = shown(renderWhole('a <b>bold</b> <img src=x onerror=alert(1)> <script>x</script>'));
    expect(html).toContain('<b>bold</b>');
    expect(html).not.toContain('<img');
    expect(html).not.toContain('<script');
    expect(html).toContain('&#60;img');
  });

  test('shows a picture as a link, since it would be fetched from afar', () => {
    expect(shown(renderWhole('![cat](https://example.org/cat.png)'))).toContain(
      '<a href="https://example.org/cat.png">cat</a>',
    );
  });
});
