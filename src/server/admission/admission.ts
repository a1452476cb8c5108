import { type AdmissionLimits, admissionLimits } from '#base/index.ts'
import { parallel } from '#content/index.ts'
import type { Environment, Gate, Question, Subject, Verdict } from '#gate/index.ts'
import { formatReference, isObject, makeReference } from '#oci/index.ts'
import type { Reason } from '#policy/index.ts'
import { failure } from '../codes.ts'
import type { Answer, Replacement } from '../review/answer.ts'
import { newImages } from '../review/images.ts'
import type { Review } from '../review/review.ts'
import type { EnvironmentOf, FoundSubject, PinnedReference, SubjectSource } from '../types.ts'
import {
  imagesByReference,
  lineOf,
  type Objection,
  objectionOf,
  spokenOf,
  type UsedImage,
} from './images-of-review.ts'

/** What the answers of a gate rest on at this moment: digests, for the audit events. */
export interface Rules {
  readonly policy: string
  readonly trust: string
}

export interface AdmissionOptions {
  readonly gate: Gate
  readonly subjects: SubjectSource
  readonly environmentOf: EnvironmentOf
  readonly rules?: () => Rules
  readonly limits?: AdmissionLimits
}

/** Judges reviews. Holds no state but what its parts remember; an error that is thrown is a denial. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #limits: AdmissionLimits

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#limits = options.limits ?? admissionLimits
  }

  /**
   * Names by digest what a tag names now. An image that cannot be looked up is left as it is: `validate` comes after
   * and says no with all that is to be said.
   */
  async mutate(review: Review, signal: AbortSignal): Promise<Answer> {
    const { images } = imagesByReference(newImages(review, this.#limits))
    const tagged = images.filter(({ reference }) => reference.digest === undefined)
    const replacements = await parallel(tagged, this.#limits.lookups, async (image) => {
      try {
        return await this.#pin(image, signal)
      } catch (error) {
        signal.throwIfAborted()
        return { patch: [], warning: lineOf(objectionOf(spokenOf(image), error)) }
      }
    })
    const patch = replacements.flatMap(({ patch }) => patch)
    const warnings = replacements.flatMap(({ warning }) => warning ?? [])
    const outcome = patch.length > 0 ? 'pinned' : 'unchanged'
    return {
      allowed: true,
      outcome,
      lines: [],
      patch,
      warnings,
      ...(patch.length > 0 && { audit: { pinned: String(patch.length) } }),
    }
  }

  async #pin(
    { text, reference, uses }: UsedImage,
    signal: AbortSignal,
  ): Promise<{ patch: Replacement[]; warning?: string }> {
    const digest = await this.#options.subjects.resolve(reference, signal)
    // As it was written, so that nothing else about it changes; what CRI makes of NAME:TAG@DIGEST is NAME@DIGEST.
    const value = `${text}@${digest}`
    return { patch: uses.map(({ pointer }) => ({ op: 'replace', path: pointer, value })) }
  }

  /** Asks the gate, once for all images of an object. */
  async validate(review: Review, asked: Environment | undefined, signal: AbortSignal): Promise<Answer> {
    const uses = newImages(review, this.#limits)
    if (uses.length === 0)
      return { allowed: true, outcome: 'unchanged', lines: [], audit: { decision: whyNot(review) } }
    const { images, objections } = imagesByReference(uses)
    const found = await parallel(images, this.#limits.lookups, (image) => this.#find(image, signal))
    const all = [...objections, ...found.flatMap((one) => ('why' in one ? [one] : []))]
    if (all.length > 0) return refused(all)
    const looked = found.flatMap((one) => ('why' in one ? [] : [one]))
    const environment = this.#options.environmentOf(review.namespace, asked)
    const question: Question = {
      action: 'admit',
      environment,
      principal: review.principal,
      subjects: looked.map(({ subject }) => subject),
      context: {
        namespace: review.namespace,
        kind: review.kind,
        ...nameIn(review),
        operation: review.operation,
        ...(review.subresource !== '' && { subresource: review.subresource }),
      },
      ...(review.dryRun && { dryRun: true }),
    }
    const verdict = await this.#options.gate.ask(question, signal)
    const audit = this.#audit(verdict, environment)
    if (verdict.allowed) {
      const warnings = verdict.reasons.map(({ message }) => message)
      return {
        allowed: true,
        outcome: verdict.remembered ? 'remembered' : 'admitted',
        lines: [],
        warnings,
        audit,
      }
    }
    for (const { reference } of looked) this.#options.subjects.doubt?.(reference)
    return refused(objectionsOf(verdict.reasons, looked), audit)
  }

  async #find(image: UsedImage, signal: AbortSignal): Promise<Looked | Objection> {
    const { reference } = image
    try {
      if (reference.digest === undefined) {
        throw failure('IMAGE_NOT_PINNED', 'it is named by a tag, which may name something else tomorrow')
      }
      const pinned = reference as PinnedReference
      const found = await this.#options.subjects.find(pinned, signal)
      return { image, reference: pinned, subject: subjectOf(found, pinned) }
    } catch (error) {
      signal.throwIfAborted()
      return objectionOf(spokenOf(image), error)
    }
  }

  #audit(verdict: Verdict, environment: Environment): Record<string, string> {
    const rules = this.#options.rules?.()
    return {
      decision: verdict.allowed ? 'admitted' : 'denied',
      environment,
      ...(verdict.entry !== undefined && { entry: String(verdict.entry) }),
      ...(rules && { policy: rules.policy, trust: rules.trust }),
      ...(verdict.validUntil && { 'valid-until': verdict.validUntil.toISOString() }),
    }
  }
}

interface Looked {
  readonly image: UsedImage
  readonly reference: PinnedReference
  readonly subject: Subject
}

const subjectOf = (found: FoundSubject, reference: PinnedReference): Subject => ({
  ...found,
  reference: nameOf(reference),
})

/** The name of an object, which the API server has not made up yet where there is only what it makes it from. */
function nameIn({ name, object }: Review): { readonly name: string } | { readonly generateName: string } {
  const metadata = object?.metadata
  const generateName = isObject(metadata) ? metadata.generateName : undefined
  return name === '' && typeof generateName === 'string' ? { generateName } : { name }
}

/** The name without the digest, which stands beside it: what patterns of policies are held against. */
const nameOf = ({ registry, repository, tag }: PinnedReference): string =>
  formatReference(makeReference({ registry, repository, tag }))

/** Reasons that name a content are told of its image; the others of all. */
function objectionsOf(reasons: readonly Reason[], looked: readonly Looked[]): Objection[] {
  if (reasons.length === 0) {
    return [{ what: 'the pod', why: 'the policy says no, and not why', code: 'POLICY_DENIED' }]
  }
  return reasons.flatMap(({ code, message, remedy, subject }) => {
    // Rules that do not name the content they speak of write its digest into what they say.
    const isAbout = (digest: string) =>
      subject === undefined ? message.includes(digest) : subject === digest
    const about = looked.filter(({ reference }) => isAbout(reference.digest))
    const only = looked.length === 1 ? looked : []
    const spoken = (about.length > 0 ? about : only).map(({ image }) => spokenOf(image))
    return (spoken.length > 0 ? spoken : ['the pod']).map((what) => ({
      what,
      why: message,
      code,
      ...(remedy !== undefined && { remedy }),
    }))
  })
}

function refused(
  objections: readonly Objection[],
  audit: Record<string, string> = { decision: 'denied' },
): Answer {
  const lines = objections.map(lineOf)
  return {
    allowed: false,
    outcome: 'denied',
    lines: ['Sealift does not admit it:', ...lines],
    code: 403,
    reason: 'Forbidden',
    audit: { ...audit, reasons: [...new Set(objections.map(({ code }) => code))].join(',') },
  }
}

function whyNot({ operation, object }: Review): string {
  if (operation === 'DELETE') return 'not asked: something goes away'
  if (operation === 'CONNECT' || object === undefined) return 'not asked: nothing is made'
  return operation === 'UPDATE' ? 'not asked: no image is new' : 'not asked: it holds no image'
}
