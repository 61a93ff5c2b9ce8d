import { memo } from 'preact/compat';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { GrowingMarkdown, renderWhole, type Block } from '../markdown/blocks';
import { drawMath } from '../markdown/math';
import { CodeBlock } from './code_block';

/** A text as sanitized Markdown, cheap to show again and again while it grows. */
export const Markdown = memo(({ text, growing }: { text: string; growing: boolean }) => {
  const parser = useRef<GrowingMarkdown | null>(null);
  const blocks = useMemo(() => {
    if (!growing) return renderWhole(text);
    parser.current ??= new GrowingMarkdown();
    return parser.current.render(text);
  }, [text, growing]);
  return (
    <div class={growing ? 'prose growing' : 'prose'}>
      {blocks.map((block, i) => (
        <BlockView key={`${i}${block.kind}`} block={block}
          growing={growing && i === blocks.length - 1} />
      ))}
    </div>
  );
});

interface BlockProps {
  block: Block;
  growing: boolean;
}

const BlockView = memo(
  ({ block, growing }: BlockProps) =>
    block.kind === 'code' ? (
      <CodeBlock language={block.language} code={block.code} growing={growing} />
    ) : (
      <HtmlBlock html={block.html} growing={growing} />
    ),
  (before, after) => before.growing === after.growing && (
    before.block === after.block ||
    (before.block.kind === 'html' && after.block.kind === 'html' &&
      before.block.html === after.block.html)),
);

function HtmlBlock({ html, growing }: { html: string; growing: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const hasMath = html.includes('class="math');
  // Preact writes the HTML anew only when it changed, so what is drawn over it stays.
  useLayoutEffect(() => {
    if (hasMath && !growing && box.current) void drawMath(box.current);
  }, [html, growing]);
  return <div ref={box} class="block" dangerouslySetInnerHTML={{ __html: html }} />;
}
