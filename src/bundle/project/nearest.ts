/** The known name that is likest to what was typed; undefined where none is near. */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const word = typed.slice(0, 64).toLowerCase()
  const best = known
    .map((name) => ({ name, steps: distance(word, name.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)[0]
  return best && best.steps <= Math.max(1, Math.floor(word.length / 3)) ? best.name : undefined
}

/** Letters to insert, delete or replace, or neighbours to swap (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, at) => at)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1] as number[]
      const same = a[i - 1] === b[j - 1]
      let least = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, rows[i - 2]![j - 2]! + 1)
      }
      row.push(least)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
