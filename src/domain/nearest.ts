/** Levenshtein's edit distance, for names of a few dozen characters. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      next.push(Math.min(row[j]! + (letter === other ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** How much of a name is compared: whoever sends an endless one must not hold up everybody else. */
const compared = 100;

/** The name that was probably meant. */
export const nearest = (name: string, names: readonly string[]): string =>
  names
    .map((meant) => ({ meant, far: distance(name.slice(0, compared), meant) }))
    .toSorted((a, b) => a.far - b.far)[0]?.meant ?? '';
