/**
 * What the browser keeps for this page. It may be full, forbidden, or emptied by its owner at any
 * time, so nothing here throws: writing tells whether it was kept.
 */
export function keep(name: string, value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}

export function kept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** The names of what is kept that begin so. */
export function keptNames(prefix: string): string[] {
  try {
    const all = Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i) ?? '');
    return all.filter((name) => name.startsWith(prefix));
  } catch {
    return [];
  }
}
