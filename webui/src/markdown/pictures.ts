const uuid = '[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}';
const attachment = new RegExp(`^(?:\\.{0,2}/)*v1/attachments/(${uuid})$`, 'i');
const download = /^(?:\.{0,2}\/)*v1\/workdir\/download\?/i;
/** What a browser draws and cannot be a program. */
const drawn = /\.(?:png|jpe?g|gif|webp|avif)$/i;

/** Whose work folder a picture without an address is looked for in: the session's that is shown. */
export const pictureHome: { sessionId: string | null } = { sessionId: null };

/**
 * Where a picture of a text is, below `/v1/`: an attachment, or a file of a work folder, which may be
 * named by its path alone. '' for all others: a picture from elsewhere could carry something out.
 */
export function pictureSource(href: string, { sessionId } = pictureHome): string {
  const id = attachment.exec(href)?.[1];
  if (id !== undefined) return `attachments/${id.toLowerCase()}`;
  if (download.test(href)) return workPicture(new URLSearchParams(href.slice(href.indexOf('?'))));
  if (sessionId === null || /^[a-z][a-z0-9+.-]*:|^\/\/|[?#\\]/i.test(href)) return '';
  return workPicture(new URLSearchParams({ session_id: sessionId, path: decoded(href).replace(/^\.?\//, '') }));
}

function workPicture(query: URLSearchParams): string {
  const path = query.get('path') ?? '';
  const session = query.get('session_id');
  if (!drawn.test(path) || path.split('/').includes('..')) return '';
  return `workdir/download?${new URLSearchParams({ ...(session ? { session_id: session } : {}), path })}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
