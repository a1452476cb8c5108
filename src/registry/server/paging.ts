import { Refusal } from './refusal.ts'

export interface Page {
  readonly limit: number
  readonly after?: string
}

/**
 * Reads `n` and `last` (distribution-spec, Listing Tags). A larger `n` than the server gives is no error: the
 * client follows the Link.
 *
 * @throws Refusal 400 where n is not a number
 */
export function parsePage(query: URLSearchParams, maxEntries: number): Page {
  const n = query.get('n')
  if (n !== null && !/^\d{1,18}$/.test(n)) {
    throw new Refusal(400, 'UNSUPPORTED', 'the parameter n must be a whole number, 0 or more')
  }
  const limit = n === null ? maxEntries : Math.min(Number(n), maxEntries)
  const after = query.get('last')
  return after === null ? { limit } : { limit, after }
}

/** RFC 8288: where the next page is. `query` may hold further parameters that it needs. */
export function nextLink(
  path: string,
  limit: number,
  last: string,
  more: Readonly<Record<string, string>> = {},
): string {
  return `<${path}?${new URLSearchParams({ n: String(limit), last, ...more })}>; rel="next"`
}

/** One page out of a list that was asked for one entry more than the page holds; the Link where there is more. */
export function cutPage(
  path: string,
  { limit }: Page,
  names: readonly string[],
): { readonly names: readonly string[]; readonly headers: Record<string, string> } {
  if (limit === 0) return { names: [], headers: {} }
  if (names.length <= limit) return { names, headers: {} }
  const page = names.slice(0, limit)
  return { names: page, headers: { Link: nextLink(path, limit, page.at(-1)!) } }
}
