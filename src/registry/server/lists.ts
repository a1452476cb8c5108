import { byBytes } from '#content/index.ts'
import { type Descriptor, type Digest, isDigest, mediaTypes } from '#oci/index.ts'
import { refuse } from './codes.ts'
import type { Exchange } from './exchange.ts'

/** distribution-spec, Listing Tags. */
export async function tags(exchange: Exchange, name: string): Promise<void> {
  const repository = await exchange.repository(name)
  const { names, headers } = await page(exchange, `/v2/${name}/tags/list`, (asked) => repository.tags(asked))
  exchange.json(200, { name, tags: names }, headers)
}

/** Docker Registry API, Listing Repositories. */
export async function catalog(exchange: Exchange): Promise<void> {
  const { repositories } = exchange.shared
  const { names, headers } = await page(exchange, '/v2/_catalog', (asked) => repositories.names(asked))
  exchange.json(200, { repositories: names }, headers)
}

/** distribution-spec, Listing Referrers: an index, empty where nothing refers. */
export async function referrers(exchange: Exchange, name: string, digest: Digest): Promise<void> {
  const artifactType = exchange.query.get('artifactType') || undefined
  const last = exchange.query.get('last')
  const found: Descriptor[] = []
  const repository = await exchange.repository(name).catch(() => undefined)
  for await (const descriptor of repository?.referrers(digest, artifactType, exchange) ?? []) {
    if (!isDigest(last) || byBytes(descriptor.digest, last) > 0) found.push(descriptor)
  }
  found.sort((a, b) => byBytes(a.digest, b.digest))
  const { pageSize } = exchange.shared.limits
  const manifests = found.slice(0, pageSize)
  const next = new URLSearchParams({
    ...(artifactType && { artifactType }),
    last: manifests.at(-1)?.digest ?? '',
  })
  exchange.json(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
    {
      'content-type': mediaTypes.ociIndex,
      ...(artifactType && { 'oci-filters-applied': 'artifactType' }),
      ...(found.length > pageSize && { link: `</v2/${name}/referrers/${digest}?${next}>; rel="next"` }),
    },
  )
}

type Asked = { readonly after?: string; readonly limit: number }

async function page(
  exchange: Exchange,
  path: string,
  list: (asked: Asked) => Promise<readonly string[]>,
): Promise<{ names: readonly string[]; headers: Record<string, string> }> {
  const asked = exchange.query.get('n')
  if (asked !== null && !/^\d{1,9}$/.test(asked)) throw refuse(400, 'UNSUPPORTED', 'n must be a number')
  const count = Math.min(Number(asked ?? exchange.shared.limits.pageSize), exchange.shared.limits.pageSize)
  const after = exchange.query.get('last')
  if (count === 0) return { names: [], headers: {} }
  // One more than asked for tells whether there is a next page.
  const names = await list({ ...(after !== null && { after }), limit: count + 1 })
  if (names.length <= count) return { names, headers: {} }
  const shown = names.slice(0, count)
  const next = new URLSearchParams({ n: String(count), last: shown.at(-1) as string })
  return { names: shown, headers: { link: `<${path}?${next}>; rel="next"` } }
}
