import { limits } from '#base/index.ts'
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  digestOf,
  isObject,
  mediaTypes,
} from '#oci/index.ts'
import { parseAnswer } from './answer.ts'
import { failure } from './codes.ts'
import { type FetchedManifest, getManifest, putManifest } from './manifests.ts'
import { type Place, placeName } from './place.ts'
import type { RegistryMemory } from './registry-memory.ts'

/** Where referrers are listed on a registry without an API for them (distribution-spec, Referrers Tag Schema). */
export const referrersTag = (subject: Digest): string =>
  `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`

const attempts = 5

/**
 * Adds a referrer to the index under the subject's tag, keeping every other entry just as it is: reads, merges,
 * puts, and reads again, until the entry is there. Registries know no compare-and-set, so somebody else's entry can
 * still be lost between the reading and the putting; within this process changes go one after the other.
 *
 * @throws REGISTRY_REFERRERS_CONFLICT, REGISTRY_ANSWER_INVALID, and the codes of `putManifest`
 */
export async function noteReferrer(
  place: Place,
  memory: RegistryMemory,
  subject: Digest,
  referrer: Descriptor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const key = `${place.repository}:${referrersTag(subject)}`
  const before = memory.tagChanges.get(key) ?? Promise.resolve()
  const change = before.catch(() => {}).then(() => merge(place, subject, referrer, signal))
  memory.tagChanges.set(key, change)
  try {
    await change
  } finally {
    if (memory.tagChanges.get(key) === change) memory.tagChanges.delete(key)
  }
}

async function merge(
  place: Place,
  subject: Digest,
  referrer: Descriptor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const tag = referrersTag(subject)
  for (let attempt = 0; attempt < attempts; attempt++) {
    const held = await getManifest(place, tag, { signal })
    const index = readIndex(place, tag, held)
    if (index.manifests.some((entry) => isObject(entry) && entry.digest === referrer.digest)) return
    const entries = [...index.manifests, referrer]
    if (entries.length > limits.graphWidth) {
      throw failure('REGISTRY_REFERRERS_CONFLICT', `${placeName(place)}:${tag} lists too many referrers`)
    }
    const body = { ...index.rest, schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }
    const bytes = Buffer.from(JSON.stringify(body))
    const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestOf(bytes), size: bytes.length }
    await putManifest(place, tag, { descriptor, bytes }, { signal })
  }
  throw failure('REGISTRY_REFERRERS_CONFLICT', `${placeName(place)}:${tag} is replaced again and again`)
}

/** The entries as they are, with all their members, and what else the index holds. */
function readIndex(place: Place, tag: string, held: FetchedManifest | undefined) {
  if (!held) return { manifests: [], rest: {} }
  const value = parseAnswer(held.bytes, place.host.registry, `the index ${tag}`)
  if (
    held.descriptor.mediaType !== mediaTypes.ociIndex ||
    !isObject(value) ||
    !Array.isArray(value.manifests)
  ) {
    throw failure(
      'REGISTRY_REFERRERS_CONFLICT',
      `${placeName(place)}:${tag} does not hold an index of referrers`,
    )
  }
  const { manifests, ...rest } = value
  return { manifests, rest }
}
