const uuid = '[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}';
const attachment = new RegExp(`^(?:\\.{0,2}/)*v1/attachments/(${uuid})$`, 'i');
const download = /^(?:\.{0,2}\/)*v1\/workdir\/download\?/i;
/** What a browser draws and cannot be a program. */
const drawn = /\.(?:png|jpe?g|gif|webp|avif)$/i;

/** Whose work folder a picture without an address is looked for in: that of the session a text is of. */
export interface PictureHome {
  readonly sessionId: string | null;
}

export const nowhere: PictureHome = { sessionId: null };

/**
 * Where a picture of a text is, below `/v1/`: an attachment, or a file of a work folder, which may be
 * named by its path alone. '' for all others: a picture from elsewhere could carry something out.
 */
export function pictureSource(href: string, home: PictureHome): string {
  const file = workFile(href, home);
  if (file !== null) return drawn.test(file.get('path') ?? '') ? `workdir/download?${file}` : '';
  return attachmentSource(href);
}

/** Where a file that a text links to is, in the same way; '' for what leads elsewhere. */
export function fileSource(href: string, home: PictureHome): string {
  const file = workFile(href, home);
  return file === null ? attachmentSource(href) : `workdir/download?${file}`;
}

function attachmentSource(href: string): string {
  const id = attachment.exec(href)?.[1];
  return id === undefined ? '' : `attachments/${id.toLowerCase()}`;
}

/** The path as programs see it, who have their folder under this name. */
const asSeenInside = /^(?:(?:file|sandbox):(?:\/\/)?)?\/work\//i;

function workFile(href: string, { sessionId }: PictureHome): URLSearchParams | null {
  if (download.test(href)) {
    const query = new URLSearchParams(href.slice(href.indexOf('?')));
    return named(query.get('path') ?? '', query.get('session_id'));
  }
  const path = href.replace(asSeenInside, '');
  if (sessionId === null || attachment.test(href) || /^[a-z][a-z0-9+.-]*:|^\/\/|[?#\\]/i.test(path)) return null;
  return named(decoded(path).replace(/^\.?\//, ''), sessionId);
}

function named(path: string, session: string | null): URLSearchParams | null {
  if (path === '' || path.endsWith('/') || path.split('/').includes('..')) return null;
  return new URLSearchParams({ ...(session ? { session_id: session } : {}), path });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
