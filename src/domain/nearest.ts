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

/** The name that was probably meant. */
export const nearest = (name: string, names: readonly string[]): string =>
  names.toSorted((a, b) => distance(name, a) - distance(name, b))[0] ?? '';
