import type { WriteOutcome } from '#content/index.ts'
import { DigestPlaces } from './digest-places.ts'

/** What the client has learnt about one registry, shared by all its repositories. */
export class RegistryMemory {
  readonly places: DigestPlaces
  /** Pushes under way, by repository and digest. */
  readonly pushes = new Map<string, Promise<WriteOutcome>>()
  /** Changes of referrers' tags under way, by repository and tag. */
  readonly tagChanges = new Map<string, Promise<void>>()
  /** Whether a blob can be pushed with one POST; undefined until tried. */
  takesSinglePost: boolean | undefined
  /** Uploads have to be cut into requests of this size at most, where something on the way takes no more. */
  maxRequestBytes = Number.POSITIVE_INFINITY

  constructor(maxDigests: number) {
    this.places = new DigestPlaces(maxDigests)
  }
}
