const deadlineMs = 30_000;
const lookAgainMs = 50;

/** Looks until `condition` answers something true, and answers it. */
export async function until(what, condition, limitMs = deadlineMs) {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await new Promise((again) => setTimeout(again, lookAgainMs));
  }
}
