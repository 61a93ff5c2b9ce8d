/** Hands the reader a file that the page made. */
export function offerFile(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser takes the file in a later task.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
