import { memo } from 'preact/compat';
import { useMemo, useRef } from 'preact/hooks';
import { GrowingMarkdown, renderWhole, type Block } from '../markdown/blocks';
import { CopyButton } from './copy_button';

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
      {blocks.map((block, i) => <BlockView key={`${i}${block.kind}`} block={block} />)}
    </div>
  );
});

const BlockView = memo(
  ({ block }: { block: Block }) =>
    block.kind === 'code' ? (
      <CodeBlock language={block.language} code={block.code} />
    ) : (
      <div class="block" dangerouslySetInnerHTML={{ __html: block.html }} />
    ),
  (before, after) =>
    before.block === after.block ||
    (before.block.kind === 'html' && after.block.kind === 'html' &&
      before.block.html === after.block.html),
);

export function CodeBlock({ language, code }: { language: string; code: string }) {
  return (
    <div class="block code">
      <div class="code-head">
        <span>{language || 'text'}</span>
        <CopyButton label="Copy" text={() => code} />
      </div>
      <pre tabIndex={0}><code>{code}</code></pre>
    </div>
  );
}
