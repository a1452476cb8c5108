/** One page of names in byte order: after `after` (exclusive), at most `limit`. */
export function pageOf(
  names: Iterable<string>,
  { after, limit }: { readonly after?: string; readonly limit?: number } = {},
): string[] {
  const sorted = [...names].sort(byBytes)
  const rest = after === undefined ? sorted : sorted.filter((name) => byBytes(name, after) > 0)
  return rest.slice(0, limit ?? rest.length)
}

/** Order of UTF-8 bytes. Names here are ASCII, where it is the order of code units. */
export const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
