import { byBytes } from '#content/index.ts'
import { type Descriptor, mediaTypes } from '#oci/index.ts'
import type { Resource } from '../context.ts'
import { findReadable } from '../find-readable.ts'
import { nextLink, parsePage } from '../paging.ts'
import { Refusal } from '../refusal.ts'
import { digestFrom, namedIn, repositoryOf } from './parameters.ts'

/** distribution-spec, Listing Referrers. Always an index, if an empty one: clients tell by it that we can. */
export const referrers: Resource = {
  notFound: 'NAME_UNKNOWN',
  methods: {
    GET: async (context, exchange) => {
      const name = repositoryOf(exchange)
      const subject = digestFrom(namedIn(exchange))
      const artifactType = exchange.query.get('artifactType')
      const page = parsePage(exchange.query, context.limits.pageEntries)
      const listed: Descriptor[] = []
      try {
        const { signal } = exchange
        await findReadable(context, exchange, name, 'NAME_UNKNOWN', async (repository) => {
          const list = repository.referrers(subject, artifactType ?? undefined, { signal })
          for await (const descriptor of list) listed.push(descriptor)
          return listed.length > 0 ? true : undefined
        })
      } catch (error) {
        if (!(error instanceof Refusal && error.status === 404)) throw error
      }
      const { after } = page
      const rest = listed.filter(({ digest }) => after === undefined || byBytes(digest, after) > 0)
      rest.sort((a, b) => byBytes(a.digest, b.digest))
      const manifests = fitting(rest, page.limit, context.limits.pageBytes)
      const last = manifests.at(-1)?.digest
      const filter = artifactType === null ? {} : { artifactType }
      const path = `/v2/${name}/referrers/${subject}`
      exchange.json(
        200,
        { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
        {
          ...(last !== undefined &&
            manifests.length < rest.length && { Link: nextLink(path, page.limit, last, filter) }),
          ...(artifactType !== null && { 'OCI-Filters-Applied': 'artifactType' }),
        },
        mediaTypes.ociIndex,
      )
    },
  },
}

/** As many as a page holds, at least one: annotations can be large. */
function fitting(descriptors: readonly Descriptor[], limit: number, maxBytes: number): readonly Descriptor[] {
  let sizeBytes = 0
  for (const [at, descriptor] of descriptors.slice(0, limit).entries()) {
    sizeBytes += Buffer.byteLength(JSON.stringify(descriptor)) + 1
    if (sizeBytes > maxBytes && at > 0) return descriptors.slice(0, at)
  }
  return descriptors.slice(0, limit)
}
