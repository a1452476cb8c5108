import { isFailure, type SealiftError } from '#base/index.ts'
import { contentFailure } from '#content/index.ts'
import type { Digest } from '#oci/index.ts'
import type { Scope } from './auth/scope.ts'
import type { RegistryHost } from './registry-host.ts'

/** One repository on one host: the registry's own, or the same one on a mirror. */
export interface Place {
  readonly host: RegistryHost
  /** The name there: a mirror may keep it below a prefix. */
  readonly repository: string
}

export const placeName = ({ host, repository }: Place): string => `${host.registry}/${repository}`
export const pullScope = ({ repository }: Place): Scope => ({ repository, actions: 'pull' })
export const pushScope = ({ repository }: Place): Scope => ({ repository, actions: 'pull,push' })
export const manifestPath = ({ repository }: Place, reference: string): string =>
  `/v2/${repository}/manifests/${reference}`
export const blobPath = ({ repository }: Place, digest: Digest): string => `/v2/${repository}/blobs/${digest}`

export const notFound = (place: Place, what: string): SealiftError =>
  contentFailure('CONTENT_NOT_FOUND', `${placeName(place)} has no ${what}`, {
    detail: { host: place.host.registry, repository: place.repository },
  })

/**
 * Asks each place until one gives an answer: mirrors in their order, then the registry itself, whose failure counts
 * where none has it. `undefined` from a mirror (it does not have it) sends on as well.
 */
export async function firstOf<T>(
  places: readonly Place[],
  signal: AbortSignal | undefined,
  ask: (place: Place) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const place of places.slice(0, -1)) {
    try {
      const answer = await ask(place)
      if (answer !== undefined) return answer
    } catch (error) {
      signal?.throwIfAborted()
      if (!isFailure(error)) throw error
    }
  }
  return ask(places.at(-1) as Place)
}
