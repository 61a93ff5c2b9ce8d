import DOMPurify from 'dompurify';

/**
 * What a model writes is foreign text. It may format, and link; it may not style, script, load
 * anything from anywhere (a picture's address can carry a secret out), or draw a form.
 */
const config = {
  ALLOWED_TAGS: [
    'a', 'b', 'blockquote', 'br', 'code', 'del', 'details', 'em', 'h1', 'h2', 'h3', 'h4', 'h5',
    'h6', 'hr', 'i', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 's', 'strong', 'sub', 'summary', 'sup',
    'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
  ],
  ALLOWED_ATTR: ['href', 'title', 'align', 'start', 'class', 'target', 'rel'],
  // Names that hold no address, which the next rule would otherwise judge as one.
  ADD_URI_SAFE_ATTR: ['align', 'start', 'target', 'rel'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.hasAttribute('class') && !/^(language-[\w+#.-]+|task|math|math alone)$/.test(node.className)) {
    node.removeAttribute('class');
  }
  if (node.tagName === 'A') {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  }
});

export function sanitize(html: string): string {
  return DOMPurify.sanitize(html, config);
}
