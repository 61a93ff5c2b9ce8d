import { Marked, Renderer, type Token, type Tokens, type TokensList } from 'marked';
import { apiUrl } from '../../kernel/api/http';
import { emphasis } from './emphasis';
import { mathExtensions } from './math';
import { fileSource, nowhere, pictureSource, type PictureHome } from './pictures';
import { sanitize } from './sanitize';

/** A top-level piece of a text: code is shown by a component, all else is HTML, sanitized. */
export type Block =
  | { readonly kind: 'html'; readonly html: string }
  | { readonly kind: 'code'; readonly language: string; readonly code: string };

const marked = new Marked({
  gfm: true,
  breaks: false,
  renderer: {
    html: ({ text, block }) => {
      const shown = plainTags(escapeHtml(text));
      return block && shown.includes('&#60;') ? `<p>${asLines(shown)}</p>\n` : shown;
    },
    image: (token) => picture(token as Placed, token.text || token.title || '') || link(token.href, token.text || token.title || token.href),
    link(token) {
      const { source = '' } = token as Placed;
      return Renderer.prototype.link.call(this, source === '' ? token : { ...token, href: apiUrl(source) });
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
  extensions: [...mathExtensions],
  tokenizer: emphasis,
});

/** A picture or a link, and where on this server it leads: '' for what leads elsewhere. */
interface Placed {
  readonly source?: string;
}

/** Blocks that a later piece may still join: an open list, a table, a heading to be underlined. */
const openBlocks = 2;

const hasReferences = /^ {0,3}\[[^\]\n]+\]:/m;

/**
 * Turns a growing text into blocks. What can no longer change is kept, and only the tail is read
 * again, so a long answer costs its last paragraphs at each step. A text that does not begin with
 * the one before starts over.
 */
export class GrowingMarkdown {
  private seen = '';
  private settledLength = 0;
  private settled: readonly Block[] = [];

  constructor(private readonly home: PictureHome = nowhere) {}

  render(raw: string): readonly Block[] {
    const text = plainLines(raw);
    if (!text.startsWith(this.seen)) {
      this.settledLength = 0;
      this.settled = [];
    }
    this.seen = text;
    const tail = this.readTail(text);
    return [...this.settled, ...tail];
  }

  /** The text will not grow any more. Only references, which may stand anywhere, need all of it again. */
  finish(raw: string): readonly Block[] {
    const text = plainLines(raw);
    return text.startsWith(this.seen) && !hasReferences.test(text) ? this.render(raw) : renderWhole(raw, this.home);
  }

  private readTail(text: string): readonly Block[] {
    const tokens = marked.lexer(text.slice(this.settledLength));
    const open = indexOfOpen(tokens);
    const done = tokens.slice(0, open);
    if (done.length > 0) {
      this.settled = [...this.settled, ...toBlocks(done, tokens, this.home)];
      for (const token of done) this.settledLength += token.raw.length;
    }
    return toBlocks(tokens.slice(open), tokens, this.home);
  }
}

/** The whole of a text that will not change: link references may stand anywhere in it. */
export function renderWhole(text: string, home: PictureHome = nowhere): readonly Block[] {
  const tokens = marked.lexer(plainLines(text));
  return toBlocks(tokens, tokens, home);
}

/** The lexer would do this itself, and its tokens would then be shorter than what they stand for. */
function plainLines(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

function indexOfOpen(tokens: readonly Token[]): number {
  let open = 0;
  for (let i = tokens.length - 1; i >= 0; i--) {
    if (tokens[i]?.type === 'space') continue;
    if (++open === openBlocks) return i;
  }
  return 0;
}

function toBlocks(tokens: readonly Token[], all: TokensList, home: PictureHome): Block[] {
  const blocks: Block[] = [];
  for (const token of tokens) {
    if (token.type === 'space' || token.type === 'def') continue;
    if (token.type === 'code') {
      const { lang, text } = token as Tokens.Code;
      blocks.push({ kind: 'code', language: (lang ?? '').split(/\s/)[0] ?? '', code: text });
      continue;
    }
    marked.walkTokens([token], (part) => {
      if (part.type === 'image') Object.assign(part, { source: pictureSource((part as Tokens.Image).href, home) });
      if (part.type === 'link') Object.assign(part, { source: fileSource((part as Tokens.Link).href, home) });
    });
    const html = marked.parser(Object.assign([token], { links: all.links }));
    blocks.push({ kind: 'html', html: sanitize(html) });
  }
  return blocks;
}

/** Raw HTML is shown as it was written, but for tags that only format and carry no attribute. */
function plainTags(escaped: string): string {
  return escaped.replace(
    /&#60;(\/?(?:b|br|del|details|em|i|kbd|mark|p|s|strong|sub|summary|sup)\s*\/?)&#62;/gi, '<$1>',
  );
}

/** A paragraph that keeps its lines and what they are set in by: XML that nobody fenced is read by them. */
function asLines(text: string): string {
  return text.trimEnd().replace(/^ +/gm, (blanks) => '&#160;'.repeat(blanks.length)).replace(/\n/g, '<br>\n');
}

/** '' for one that is not to be loaded. */
function picture({ source = '' }: Placed, text: string): string {
  if (source === '') return '';
  const url = escapeHtml(apiUrl(source));
  return `<a href="${url}"><img src="${url}" alt="${escapeHtml(text)}"></a>`;
}

function link(href: string, text: string): string {
  return `<a href="${escapeHtml(href)}">${escapeHtml(text)}</a>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
