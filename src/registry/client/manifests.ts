import type { CallOptions } from '#content/index.ts'
import { contentFailure } from '#content/index.ts'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestOf,
  isDigest,
  isMediaType,
  mediaTypes,
  parseManifest,
} from '#oci/index.ts'
import { field } from './http/exchange.ts'
import { manifestPath, type Place, pullScope } from './place.ts'
import { parseProblems, problemsOf, refusal } from './refusal.ts'
import type { Reply } from './registry-host.ts'

/** A manifest as it came over the wire. */
export interface FetchedManifest {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** Every manifest there is, so that a registry has no reason to convert one. */
const accepted = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifest1Signed,
  mediaTypes.dockerManifest1,
]

export const acceptManifests = (mediaType?: string): string =>
  [...new Set([...(mediaType === undefined ? [] : [mediaType]), ...accepted])].join(', ')

/** What a tag or digest names, by HEAD; undefined where there is none. Falls back to GET where HEAD tells too little. */
export async function headManifest(
  place: Place,
  reference: string,
  { signal }: CallOptions = {},
): Promise<Descriptor | undefined> {
  const { host } = place
  const reply = await host.send({
    method: 'HEAD',
    to: manifestPath(place, reference),
    scope: pullScope(place),
    headers: { accept: acceptManifests() },
    signal,
  })
  await reply.body.close()
  if (reply.status === 404) return undefined
  if (reply.status !== 200) {
    if (reply.status !== 405) throw refusal(reply, [], `tell what ${reference} is`)
    return (await getManifest(place, reference, { signal }))?.descriptor
  }
  const mediaType = mediaTypeOf(reply)
  const length = field(reply.headers, 'content-length')
  const digest =
    field(reply.headers, 'docker-content-digest') ?? (isDigest(reference) ? reference : undefined)
  if (mediaType === undefined || length === undefined || !/^\d{1,15}$/.test(length) || !isDigest(digest)) {
    return (await getManifest(place, reference, { signal }))?.descriptor
  }
  if (isDigest(reference)) sameDigest(reply, reference, digest)
  return { mediaType, digest, size: Number(length) }
}

/**
 * A whole manifest, its digest computed and compared with what was asked for and with what the registry says.
 *
 * @throws DIGEST_MISMATCH, REGISTRY_ANSWER_INVALID, and the codes of `RegistryHost.send`
 */
export async function getManifest(
  place: Place,
  reference: string,
  { signal, mediaType }: CallOptions & { readonly mediaType?: string } = {},
): Promise<FetchedManifest | undefined> {
  const { host } = place
  const { reply, bytes } = await host.ask(
    {
      method: 'GET',
      to: manifestPath(place, reference),
      scope: pullScope(place),
      headers: { accept: acceptManifests(mediaType) },
      signal,
    },
    host.pace.limits.manifestBytes,
  )
  if (reply.status === 404) return undefined
  if (reply.status !== 200) throw refusal(reply, parseProblems(bytes), `give the manifest ${reference}`)
  const claimed = field(reply.headers, 'docker-content-digest')
  const expected = isDigest(reference) ? reference : isDigest(claimed) ? claimed : undefined
  const digest = digestOf(bytes, expected && digestAlgorithm(expected))
  if (isDigest(reference)) sameDigest(reply, reference, digest)
  if (isDigest(claimed)) {
    const computed =
      digestAlgorithm(claimed) === digestAlgorithm(digest)
        ? digest
        : digestOf(bytes, digestAlgorithm(claimed))
    sameDigest(reply, claimed, computed)
  }
  const type = mediaTypeOf(reply) ?? mediaType ?? parseManifest(bytes).mediaType
  return { descriptor: { mediaType: type, digest, size: bytes.length }, bytes }
}

/** Puts a manifest under a digest or tag; returns the reply, with its body closed. */
export async function putManifest(
  place: Place,
  reference: string,
  { descriptor, bytes }: FetchedManifest,
  { signal }: CallOptions = {},
): Promise<Reply> {
  const { host } = place
  const reply = await host.send({
    method: 'PUT',
    to: manifestPath(place, reference),
    scope: { repository: place.repository, actions: 'pull,push' },
    headers: { 'content-type': descriptor.mediaType },
    body: bytes,
    answerWithinMs: host.pace.limits.commitMs,
    signal,
  })
  if (reply.status !== 201 && reply.status !== 200 && reply.status !== 202) {
    const problems = await problemsOf(reply, host.pace.limits, host.pace.now)
    throw refusal(reply, problems, `take the manifest ${reference}`)
  }
  await reply.body.close()
  const claimed = field(reply.headers, 'docker-content-digest')
  if (isDigest(claimed) && digestAlgorithm(claimed) === digestAlgorithm(descriptor.digest)) {
    sameDigest(reply, descriptor.digest, claimed)
  }
  return reply
}

function mediaTypeOf({ headers }: Reply): string | undefined {
  const type = field(headers, 'content-type')?.split(';')[0]?.trim()
  return isMediaType(type) && type !== 'application/json' && type !== 'text/plain' ? type : undefined
}

function sameDigest({ url }: Reply, expected: Digest, actual: Digest): void {
  if (expected === actual) return
  throw contentFailure('DIGEST_MISMATCH', `${url.host} holds ${actual} where ${expected} should be`, {
    detail: { expected, actual, host: url.host },
  })
}
