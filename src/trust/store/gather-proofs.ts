import { isFailure, limits } from '#base/index.ts'
import {
  type CallOptions,
  legacyTag,
  parallel,
  type Referrers,
  readVerified,
  type Source,
} from '#content/index.ts'
import { type Descriptor, type Digest, parseManifest } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { proofOf, unreadableProof } from '../proof.ts'
import type { Proof, SignatureForm } from '../types.ts'
import { legacyProof } from './legacy-proof.ts'
import { carriesProofs, formOfLayer } from './proof-media-types.ts'

export interface GatherLimits {
  /** Proofs of one content, and manifests that carry them. */
  readonly proofs: number
  /** Bytes of one proof. */
  readonly proofBytes: number
  /** Bytes of all proofs of one content. */
  readonly proofBytesInAll: number
  readonly manifestBytes: number
  readonly graphWidth: number
  readonly jsonDepth: number
}

export interface GatherOptions extends CallOptions {
  readonly limits?: GatherLimits
  /** Contents asked for at once; 8 where it is not said. */
  readonly concurrency?: number
}

/** A manifest that may carry proofs, and how it came to be known. */
interface Carrier {
  readonly descriptor: Descriptor
  readonly form: SignatureForm
  /** Where only its layers can tell, it is nothing to speak of that they do not. */
  readonly isSure: boolean
}

/** One layer that holds a proof. */
interface Slot {
  readonly form: SignatureForm
  readonly layer: Descriptor
  readonly carrier: Digest
}

/**
 * Every proof that travels with a content: Sigstore bundles among its referrers, then cosign's legacy tags, each
 * once, in the order in which the repository lists them. All bytes are verified against their digests; what is
 * listed and cannot be had or read comes as an `unreadable` proof, so that it is told of and not passed over. Not
 * judged: see `judge`.
 *
 * @param repository one repository; of a whole container (`Container.source`) the legacy tags are seen only where
 * its roots have bare names
 * @throws PROOF_TOO_MANY, PROOF_TOO_LARGE (all of them together), and what the repository throws where it cannot be
 * asked
 */
export async function* gatherProofs(
  repository: Source & Referrers,
  subject: Descriptor,
  options: GatherOptions = {},
): AsyncGenerator<Proof> {
  const gathering = new Gathering(repository, options)
  const seen = new Set<string>()
  for await (const proof of gathering.proofsOf(subject)) {
    // What cannot be had from one carrier does not hide what another one has.
    const key = `${proof.unreadable ? '!' : ''}${proof.form} ${proof.digest}`
    if (!seen.has(key)) yield proof
    seen.add(key)
  }
}

class Gathering {
  readonly #repository: Source & Referrers
  readonly #limits: GatherLimits
  readonly #concurrency: number
  readonly #call: CallOptions

  constructor(repository: Source & Referrers, options: GatherOptions) {
    this.#repository = repository
    this.#limits = options.limits ?? limits
    this.#concurrency = options.concurrency ?? 8
    this.#call = { signal: options.signal }
  }

  async *proofsOf(subject: Descriptor): AsyncGenerator<Proof> {
    const [referrers, ...tagged] = await Promise.all([
      this.#referrers(subject.digest),
      this.#tagged(subject.digest, 'sig', 'legacy-signature'),
      this.#tagged(subject.digest, 'att', 'legacy-attestation'),
    ])
    const carriers = [...referrers, ...tagged.flat()]
    const opened = await parallel(carriers, this.#concurrency, (carrier) => this.#slotsOf(carrier))
    const found = opened.flat()
    if (found.length > this.#limits.proofs) throw this.#tooMany(subject.digest, found.length)
    this.#assertSum(subject.digest, found)
    for (let at = 0; at < found.length; at += this.#concurrency) {
      const batch = found.slice(at, at + this.#concurrency)
      yield* await parallel(batch, this.#concurrency, async (slot) =>
        'bytes' in slot ? slot : this.#read(slot),
      )
    }
  }

  async #referrers(subject: Digest): Promise<Carrier[]> {
    const found: Carrier[] = []
    let listed = 0
    for await (const descriptor of this.#repository.referrers(subject, undefined, this.#call)) {
      if (++listed > this.#limits.graphWidth) throw this.#tooMany(subject, listed)
      const carries = carriesProofs(descriptor.artifactType)
      if (carries === 'no') continue
      found.push({ descriptor, form: 'bundle', isSure: carries === 'yes' })
      if (found.length > this.#limits.proofs) throw this.#tooMany(subject, found.length)
    }
    return found
  }

  async #tagged(subject: Digest, suffix: 'sig' | 'att', form: SignatureForm): Promise<Carrier[]> {
    try {
      const descriptor = await this.#repository.resolve(legacyTag(subject, suffix), this.#call)
      return [{ descriptor, form, isSure: true }]
    } catch (error) {
      if (isFailure(error, 'CONTENT_NOT_FOUND')) return []
      throw error
    }
  }

  async #slotsOf({ descriptor, form, isSure }: Carrier): Promise<(Slot | Proof)[]> {
    const { digest, mediaType } = descriptor
    try {
      const bytes = await readVerified(this.#repository, descriptor, this.#limits.manifestBytes, this.#call)
      const manifest = parseManifest(bytes, mediaType, this.#limits)
      const layers = manifest.kind === 'image' ? manifest.layers : []
      const slots = layers.flatMap((layer): Slot[] => {
        const held = formOfLayer(layer.mediaType)
        return held === undefined ? [] : [{ form: held, layer, carrier: digest }]
      })
      if (slots.length > this.#limits.proofs) {
        throw failure(
          'PROOF_TOO_MANY',
          `${digest} carries ${slots.length} proofs, over the limit of ${this.#limits.proofs}`,
        )
      }
      return slots
    } catch (error) {
      if (!isRefusal(error)) throw error
      return isSure ? [unreadable(form, digest, digest, error)] : []
    }
  }

  async #read({ form, layer, carrier }: Slot): Promise<Proof> {
    try {
      if (layer.size > this.#limits.proofBytes) {
        throw failure(
          'PROOF_TOO_LARGE',
          `${layer.digest} has ${layer.size} bytes, over the limit of ${this.#limits.proofBytes}`,
        )
      }
      const bytes = await readVerified(this.#repository, layer, this.#limits.proofBytes, this.#call)
      if (form === 'bundle' || form === 'detached') return proofOf(form, bytes, carrier)
      return legacyProof(form, { payload: bytes, annotations: layer.annotations ?? {} }, carrier)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return unreadable(form, layer.digest, carrier, error)
    }
  }

  #assertSum(subject: Digest, found: readonly (Slot | Proof)[]): void {
    let sizeBytes = 0
    for (const slot of found) {
      if ('layer' in slot && slot.layer.size <= this.#limits.proofBytes) sizeBytes += slot.layer.size
    }
    if (sizeBytes <= this.#limits.proofBytesInAll) return
    throw failure(
      'PROOF_TOO_LARGE',
      `the proofs of ${subject} have ${sizeBytes} bytes, over the limit of ${this.#limits.proofBytesInAll}`,
    )
  }

  #tooMany(subject: Digest, count: number) {
    return failure(
      'PROOF_TOO_MANY',
      `${subject} has ${count} proofs or more, over the limit of ${this.#limits.proofs}`,
    )
  }
}

/** What is wrong with this one proof, and not with the way to it: codes of content and oci, and our own. */
const refusals: ReadonlySet<string> = new Set([
  'CONTENT_NOT_FOUND',
  'CONTENT_DAMAGED',
  'DIGEST_MISMATCH',
  'SIZE_MISMATCH',
  'GRAPH_TOO_WIDE',
  'MANIFEST_INVALID',
  'MANIFEST_UNSUPPORTED',
  'DESCRIPTOR_INVALID',
  'JSON_INVALID',
  'JSON_TOO_LARGE',
  'JSON_TOO_DEEP',
  'JSON_FORBIDDEN_KEY',
  'PROOF_TOO_LARGE',
  'PROOF_TOO_MANY',
  'PROOF_MALFORMED',
])

const isRefusal = (error: unknown): error is Error & { code: string } =>
  isFailure(error) && refusals.has(error.code)

function unreadable(
  form: SignatureForm,
  digest: Digest,
  carrier: Digest,
  error: Error & { code: string },
): Proof {
  const own = error.code.startsWith('PROOF_') ? error.code : 'PROOF_UNREADABLE'
  const reason = { code: own, message: error.message }
  return unreadableProof(form, digest, carrier, reason)
}
