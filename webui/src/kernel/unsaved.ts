/** What would be lost with the page: the browser asks before it is left. */
const checks = new Set<() => boolean>();

/** Registers a check for as long as what it answers runs. Answers what ends it. */
export function guardUnsaved(isUnsaved: () => boolean): () => void {
  checks.add(isUnsaved);
  return () => void checks.delete(isUnsaved);
}

export function hasUnsaved(): boolean {
  return [...checks].some((isUnsaved) => isUnsaved());
}

/** `isShown`: somebody is signed in, so there is something to go back to. */
export function startGuard(isShown: () => boolean): void {
  window.addEventListener('beforeunload', (event) => {
    if (isShown() && hasUnsaved()) event.preventDefault();
  });
}
