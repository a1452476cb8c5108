import { isFailure } from '#base/index.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { headManifest, putManifest } from './manifests.ts'
import { manifestPath, type Place, placeName, pushScope } from './place.ts'

/** What came of asking a registry whether it takes an index with absent children. */
export interface SparseIndexProbe {
  readonly supported: boolean
  /** Exactly what was done, one sentence each, to be shown. */
  readonly done: readonly string[]
  /** Set where the probe could not be taken away again: the digest that stays, without a tag. */
  readonly left?: string
}

/** Always the same bytes, so that where they cannot be deleted at most one copy stays behind. */
const absentChild = digestOf(Buffer.from('sealift: a child that is absent on purpose'))
const probeBytes = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      {
        mediaType: mediaTypes.ociManifest,
        digest: absentChild,
        size: 1234,
        platform: { os: 'linux', architecture: 'amd64' },
      },
    ],
    annotations: { 'io.sealift.probe': 'an index with an absent child; delete it at will' },
  }),
)
const probe = { mediaType: mediaTypes.ociIndex, digest: digestOf(probeBytes), size: probeBytes.length }

/**
 * Pushes a tiny index whose only child is absent, by digest and without a tag, and deletes it again.
 *
 * @throws the codes of `RegistryHost.send`, REGISTRY_UNAUTHORIZED, REGISTRY_FORBIDDEN, REGISTRY_BUSY, REGISTRY_FAILED
 */
export async function probeSparseIndex(
  place: Place,
  signal: AbortSignal | undefined,
): Promise<SparseIndexProbe> {
  const where = placeName(place)
  const name = `${where}@${probe.digest}`
  if (await headManifest(place, probe.digest, { signal })) {
    return {
      supported: true,
      done: [`Found ${name}, an index with an absent child, left by an earlier probe.`],
    }
  }
  try {
    await putManifest(place, probe.digest, { descriptor: probe, bytes: probeBytes }, { signal })
  } catch (error) {
    if (!isFailure(error, 'REGISTRY_REFUSED')) throw error
    return {
      supported: false,
      done: [`Pushed an index with an absent child (${probe.size} bytes) to ${where}: ${error.message}.`],
    }
  }
  const pushed = `Pushed ${name}, an index with an absent child (${probe.size} bytes, no tag): it was taken.`
  const reply = await place.host
    .send({
      method: 'DELETE',
      to: manifestPath(place, probe.digest),
      scope: { ...pushScope(place), actions: 'pull,push,delete' },
      signal,
    })
    .catch((error: unknown) => {
      signal?.throwIfAborted()
      if (isFailure(error)) return undefined
      throw error
    })
  await reply?.body.close()
  if (reply && reply.status >= 200 && reply.status < 300) {
    return { supported: true, done: [pushed, `Deleted ${name} again.`] }
  }
  const why = reply ? `the registry answered ${reply.status}` : 'the registry did not let us'
  return {
    supported: true,
    done: [pushed, `Could not delete ${name} (${why}): it stays.`],
    left: probe.digest,
  }
}
