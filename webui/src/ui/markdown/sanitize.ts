import DOMPurify from 'dompurify';
import { apiUrl } from '../../kernel/api/http';

/**
 * What a model writes is foreign text. It may format, link, and show pictures that this server has;
 * it may not style, script, load anything from elsewhere (a picture's address can carry a secret
 * out), or draw a form.
 */
const config = {
  ALLOWED_TAGS: [
    'a', 'b', 'blockquote', 'br', 'code', 'del', 'details', 'em', 'h1', 'h2', 'h3', 'h4', 'h5',
    'h6', 'hr', 'i', 'img', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 's', 'strong', 'sub', 'summary', 'sup',
    'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
  ],
  ALLOWED_ATTR: ['href', 'title', 'align', 'start', 'class', 'target', 'rel', 'src', 'alt', 'loading'],
  // Names that hold no address, which the next rule would otherwise judge as one.
  ADD_URI_SAFE_ATTR: ['align', 'start', 'target', 'rel', 'alt', 'loading'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.hasAttribute('class') && !/^(language-[\w+#.-]+|task|math|math alone)$/.test(node.className)) {
    node.removeAttribute('class');
  }
  if (node.tagName === 'IMG') {
    if (isOwn(node.getAttribute('src') ?? '')) node.setAttribute('loading', 'lazy');
    else node.remove();
  }
  if (node.tagName === 'A') {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  }
});

/** What the renderer made of a picture's address; all else came some other way. */
function isOwn(src: string): boolean {
  return src.startsWith(apiUrl('attachments/')) || src.startsWith(apiUrl('workdir/download?'));
}

export function sanitize(html: string): string {
  return DOMPurify.sanitize(html, config);
}
