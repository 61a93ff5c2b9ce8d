import { Resource } from '../../kernel/resource';
import type { Workspace } from '../../kernel/workspace';
import { listDocuments, type KnownDocument } from './memory_api';

const pageSize = 200;
/** More documents than this are not read: of those that are, the newest come first. */
const pagesMax = 10;

export interface Shelf {
  /** The newest first. */
  readonly documents: readonly KnownDocument[];
  /** There are no others. */
  readonly isAll: boolean;
}

/** The documents that are kept as knowledge. The server has them in no order, so all are read. */
export class Documents extends Resource<Shelf> {
  private running: Promise<void> | null = null;
  private isAgainWanted = false;

  constructor(workspace: Workspace) {
    super(workspace, { path: 'memory/documents', changedBy: ['memory.changed'] });
  }

  /** Told of many changes while it is read, as an import makes them, it is read once more. */
  override read(): Promise<void> {
    this.isAgainWanted = true;
    this.running ??= (async () => {
      while (this.isAgainWanted && !this.workspace.ended.aborted) {
        this.isAgainWanted = false;
        await super.read();
      }
      this.running = null;
    })();
    return this.running;
  }

  protected override async ask(): Promise<{ body: Shelf; etag: string }> {
    const found = new Map<string, KnownDocument>();
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await listDocuments(pageSize, cursor);
      for (const one of page.documents) found.set(one.attachment_id, one);
      cursor = page.next_cursor;
    } while (cursor !== undefined && ++pages < pagesMax);
    const documents = [...found.values()].sort((a, b) => b.imported_at.localeCompare(a.imported_at));
    return { body: { documents, isAll: cursor === undefined }, etag: '' };
  }
}
