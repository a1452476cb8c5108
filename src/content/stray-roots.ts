import { type Descriptor, type Digest, isDigest, isManifestType, type Manifest } from '#oci/index.ts'
import type { Root } from './types.ts'

/** A root that no repository's name tells the place of, and the tag that ties it to its subject, if so. */
interface Stray {
  readonly descriptor: Descriptor
  readonly tag?: string
  readonly legacySubject?: Digest
}

/**
 * Roots of a container that say nothing of their repository: oras lists referrers without a name, and signatures
 * made before there were referrers have a tag alone. They belong wherever their subject is.
 */
export class StrayRoots {
  readonly #strays: readonly Stray[]
  readonly #byTag: ReadonlyMap<string, Stray>
  readonly #read: (descriptor: Descriptor) => Promise<Manifest | undefined>
  readonly #subjects = new Map<Digest, Promise<Digest | undefined>>()

  constructor(roots: readonly Root[], read: (descriptor: Descriptor) => Promise<Manifest | undefined>) {
    this.#read = read
    this.#strays = roots.flatMap(({ descriptor, reference }): Stray[] => {
      if (!isManifestType(descriptor.mediaType)) return []
      if (reference === undefined) return [{ descriptor }]
      const legacySubject = subjectOfTag(reference)
      return legacySubject ? [{ descriptor, tag: reference, legacySubject }] : []
    })
    this.#byTag = new Map(
      this.#strays.flatMap((stray) => (stray.tag === undefined ? [] : [[stray.tag, stray]])),
    )
  }

  /** Those whose subject `isHere`. */
  async belongingTo(isHere: (subject: Digest) => boolean): Promise<Descriptor[]> {
    const found: Descriptor[] = []
    for (const stray of this.#strays) {
      const subject = stray.legacySubject ?? (await this.#subjectOf(stray.descriptor))
      if (subject !== undefined && isHere(subject)) found.push(stray.descriptor)
    }
    return found
  }

  /** The legacy tags whose subject `isHere`. */
  tags(isHere: (subject: Digest) => boolean): Map<string, Descriptor> {
    const tags = new Map<string, Descriptor>()
    for (const [tag, { descriptor, legacySubject }] of this.#byTag) {
      if (legacySubject !== undefined && isHere(legacySubject)) tags.set(tag, descriptor)
    }
    return tags
  }

  #subjectOf(descriptor: Descriptor): Promise<Digest | undefined> {
    let subject = this.#subjects.get(descriptor.digest)
    if (!subject) {
      subject = this.#read(descriptor).then((manifest) => manifest?.subject?.digest)
      this.#subjects.set(descriptor.digest, subject)
      subject.catch(() => this.#subjects.delete(descriptor.digest))
    }
    return subject
  }
}

/** The digest in a tag like `sha256-<hex>.sig` (cosign). */
export function subjectOfTag(tag: string): Digest | undefined {
  const match = /^(sha\d{3})-([0-9a-f]+)\.(?:sig|att|sbom)$/.exec(tag)
  const digest = match && `${match[1]}:${match[2]}`
  return isDigest(digest) ? digest : undefined
}
