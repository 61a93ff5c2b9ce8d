import { memo } from 'preact/compat';
import { createContext } from 'preact';
import { useContext, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { GrowingMarkdown, renderWhole, type Block } from './blocks';
import { nowhere, type PictureHome } from './pictures';
import { drawMath } from './math';
import { CodeBlock } from './code_block';
import './markdown.css';

/** Blocks drawn together: what did not change costs a comparison each, and no more. */
const groupSize = 32;

/** The session that texts are of: their pictures and files are looked for in its work folder. */
export const TextHome = createContext<PictureHome>(nowhere);

/** A text as sanitized Markdown, cheap to show again and again while it grows. */
export const Markdown = memo(({ text, growing }: { text: string; growing: boolean }) => {
  const home = useContext(TextHome);
  const parser = useRef<GrowingMarkdown | null>(null);
  const blocks = useMemo(() => {
    if (growing) parser.current ??= new GrowingMarkdown(home);
    if (!parser.current) return renderWhole(text, home);
    return growing ? parser.current.render(text) : parser.current.finish(text);
  }, [text, growing, home]);
  const groups: (readonly Block[])[] = [];
  for (let i = 0; i < blocks.length; i += groupSize) groups.push(blocks.slice(i, i + groupSize));
  return (
    <div class={`prose${growing ? ' growing' : ''}${parser.current ? ' streamed' : ''}`}>
      {groups.map((group, i) => (
        <BlockGroup key={i} blocks={group} growing={growing && i === groups.length - 1} />
      ))}
    </div>
  );
});

const BlockGroup = memo(
  ({ blocks, growing }: { blocks: readonly Block[]; growing: boolean }) => (
    <div class="group">
      {blocks.map((block, i) => (
        <BlockView key={`${i}${block.kind}`} block={block}
          growing={growing && i === blocks.length - 1} />
      ))}
    </div>
  ),
  (before, after) => before.growing === after.growing &&
    before.blocks.length === after.blocks.length &&
    before.blocks.every((block, i) => block === after.blocks[i]),
);

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
  return <div ref={box} class="block" dir="auto" dangerouslySetInnerHTML={{ __html: html }} />;
}
