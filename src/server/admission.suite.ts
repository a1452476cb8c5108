import type { Gate, Question, Verdict } from '#gate/index.ts'
import type { Digest } from '#oci/index.ts'
import { digestOf } from '#oci/index.ts'
import { proofOf } from '#trust/index.ts'
import { failure } from './codes.ts'
import type { FoundSubject, PinnedReference, SubjectSource } from './types.ts'

/** A gate that admits what carries at least one proof; what was asked is kept. */
export class TestGate implements Gate {
  readonly questions: Question[] = []

  async ask(question: Question, signal: AbortSignal): Promise<Verdict> {
    signal.throwIfAborted()
    this.questions.push(question)
    const unsigned = question.subjects.filter(({ proofs }) => proofs.length === 0)
    return {
      allowed: unsigned.length === 0,
      reasons: unsigned.map(({ digest }) => ({
        code: 'SIGNATURE_MISSING',
        message: 'nobody has signed it',
        remedy: 'sign it with the release key',
        subject: digest,
      })),
      outputs: null,
      remembered: false,
      ...(question.dryRun !== true && { entry: this.questions.length - 1 }),
    }
  }
}

/** Contents in a map: HOST/REPOSITORY:TAG to digests, digests to whether they are signed. */
export class TestSubjects implements SubjectSource {
  readonly tags = new Map<string, Digest>()
  readonly signed = new Map<Digest, boolean>()
  readonly doubted: Digest[] = []
  /** References that were asked for, by `find`. */
  readonly found: string[] = []
  down = false
  /** Runs before each answer. */
  before: (signal: AbortSignal) => Promise<void> = async () => undefined

  add(tag: string, isSigned: boolean): Digest {
    const digest = digestOf(Buffer.from(tag))
    this.tags.set(tag, digest)
    this.signed.set(digest, isSigned)
    return digest
  }

  async resolve({ registry, repository, tag }: Parameters<SubjectSource['resolve']>[0], signal: AbortSignal) {
    await this.before(signal)
    if (this.down) throw failure('MIRROR_UNAVAILABLE', 'it is down')
    const digest = this.tags.get(`${registry}/${repository}:${tag ?? 'latest'}`)
    if (!digest) throw failure('IMAGE_NOT_FOUND', `${repository}:${tag} is not here`)
    return digest
  }

  async find({ digest, repository }: PinnedReference, signal: AbortSignal): Promise<FoundSubject> {
    await this.before(signal)
    this.found.push(`${repository}@${digest}`)
    if (this.down) throw failure('MIRROR_UNAVAILABLE', 'it is down')
    const isSigned = this.signed.get(digest)
    if (isSigned === undefined) throw failure('IMAGE_NOT_FOUND', `${digest} is not here`)
    const bytes = Buffer.from(`proof of ${digest}`)
    const proofs = isSigned ? [proofOf('bundle', bytes)] : []
    return { digest, mediaType: 'application/vnd.oci.image.manifest.v1+json', proofs }
  }

  doubt({ digest }: PinnedReference): void {
    this.doubted.push(digest)
  }
}

/** An AdmissionReview as an API server sends it; members of `request` over the usual ones. */
export function reviewOf(object: unknown, request: Readonly<Record<string, unknown>> = {}) {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      name: 'web',
      namespace: 'shop',
      operation: 'CREATE',
      userInfo: { username: 'jo', groups: ['system:authenticated'] },
      object,
      oldObject: null,
      dryRun: false,
      options: {},
      ...request,
    },
  }
}

export const podOf = (...images: readonly string[]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: { containers: images.map((image, at) => ({ name: `c${at}`, image })) },
})

export const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
