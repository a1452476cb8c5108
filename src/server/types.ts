import type { Environment, Subject, WithProofs } from '#gate/index.ts'
import type { Digest, Reference } from '#oci/index.ts'

/** A reference that says which content, once and for all. */
export type PinnedReference = Reference & { readonly digest: Digest }

/** What was found of a content: `Subject` without the name that it was asked for by. */
export type FoundSubject = WithProofs & Pick<Subject, 'within'>

/** Where the webhook looks contents up: a mirror, an archive, several of them. */
export interface SubjectSource {
  /**
   * What a tag names at this moment; the tag is `latest` where the reference has none.
   * @throws IMAGE_NOT_FOUND, MIRROR_UNAVAILABLE
   */
  resolve(reference: Reference, signal: AbortSignal): Promise<Digest>
  /**
   * A content with every proof that came with it.
   * @throws IMAGE_NOT_FOUND, MIRROR_UNAVAILABLE
   */
  find(reference: PinnedReference, signal: AbortSignal): Promise<FoundSubject>
  /** Told that what was found was not good enough: it is looked for again soon. */
  doubt?(reference: PinnedReference): void
}

/** Which environment a pod of a namespace is in. `asked` is what the path of the request says, `/validate/ENVIRONMENT`. */
export type EnvironmentOf = (namespace: string, asked: Environment | undefined) => Environment

/** Moments in milliseconds since 1970. */
export type Clock = () => number
