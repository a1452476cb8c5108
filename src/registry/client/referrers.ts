import type { Json } from '#base/index.ts'
import { type Descriptor, type Digest, isObject, mediaTypes, parseDescriptor } from '#oci/index.ts'
import { parseAnswer } from './answer.ts'
import { failure } from './codes.ts'
import { referrersTag } from './fallback-index.ts'
import { field } from './http/exchange.ts'
import { getManifest } from './manifests.ts'
import { pages } from './pages.ts'
import { type Place, pullScope } from './place.ts'
import { parseProblems, refusal } from './refusal.ts'

/** Remembers that a repository's registry has no referrers API, so that it is asked only once. */
export interface ReferrersApi {
  missing: boolean
}

/**
 * What points back at `subject`: by the referrers API, or by the fallback tag where the registry has none
 * (distribution-spec, Listing Referrers and Unavailable Referrers API). Each referrer once.
 *
 * @throws REGISTRY_ANSWER_INVALID, DESCRIPTOR_INVALID, and the codes of `RegistryHost.send`
 */
export async function* listReferrers(
  place: Place,
  api: ReferrersApi,
  subject: Digest,
  artifactType: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Descriptor> {
  const seen = new Set<Digest>()
  for await (const descriptor of all(place, api, subject, artifactType, signal)) {
    // Servers may leave the filter out; then it is ours to apply.
    if (artifactType !== undefined && descriptor.artifactType !== artifactType) continue
    if (seen.has(descriptor.digest)) continue
    if (seen.size >= place.host.pace.limits.graphWidth) {
      throw failure(
        'REGISTRY_ANSWER_INVALID',
        `${place.host.registry} lists too many referrers of ${subject}`,
      )
    }
    seen.add(descriptor.digest)
    yield descriptor
  }
}

async function* all(
  place: Place,
  api: ReferrersApi,
  subject: Digest,
  artifactType: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Descriptor> {
  const { host, repository } = place
  if (!api.missing) {
    const filter = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType })}`
    const to = `/v2/${repository}/referrers/${subject}${filter}`
    const headers = { accept: mediaTypes.ociIndex }
    for await (const { reply, bytes } of pages(host, {
      method: 'GET',
      to,
      scope: pullScope(place),
      headers,
      signal,
    })) {
      const type = field(reply.headers, 'content-type')?.split(';')[0]?.trim()
      if (reply.status === 200 && type === mediaTypes.ociIndex) {
        yield* entries(
          parseAnswer(bytes, host.registry, `the list of referrers of ${subject}`),
          host.registry,
        )
      } else if (reply.status === 200 || [400, 404, 405, 406, 501].includes(reply.status)) api.missing = true
      else throw refusal(reply, parseProblems(bytes), `list the referrers of ${subject}`)
    }
    if (!api.missing) return
  }
  const index = await getManifest(place, referrersTag(subject), { signal })
  if (index?.descriptor.mediaType !== mediaTypes.ociIndex) return
  yield* entries(
    parseAnswer(index.bytes, host.registry, `the index of referrers of ${subject}`),
    host.registry,
  )
}

function entries(index: Json, registry: string): Descriptor[] {
  if (!isObject(index) || !Array.isArray(index.manifests)) {
    // Go's encoders write null for an empty list.
    if (isObject(index) && (index.manifests === null || index.manifests === undefined)) return []
    throw failure('REGISTRY_ANSWER_INVALID', `${registry} lists referrers in something that is not an index`)
  }
  return index.manifests.map(parseDescriptor)
}
