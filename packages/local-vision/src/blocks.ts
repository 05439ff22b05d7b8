/** Photos that follow each other in a folder show the same thing: they stay together in cross-validation. */
export const blockSize = 20;

/**
 * Of each photo the fold in which it is left out, from 0: runs of `blockSize` in a folder are kept whole, and each folder's
 * runs are dealt out in turn, beginning with another fold for each folder.
 */
export function foldsOf(folders: readonly string[], folds: number): number[] {
  const counts = new Map<string, number>();
  const order = [...new Set(folders)];
  return folders.map((folder) => {
    const place = counts.get(folder) ?? 0;
    counts.set(folder, place + 1);
    return (Math.floor(place / blockSize) + order.indexOf(folder)) % folds;
  });
}
