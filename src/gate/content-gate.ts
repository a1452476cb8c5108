import { createHash } from 'node:crypto'
import { canonicalJson, type Json, limits } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import type { Decision, Policy } from '#policy/index.ts'
import type { Audit } from './audit/audit.ts'
import { keepJson } from './audit/objects.ts'
import { recordOf } from './audit/record-of.ts'
import { failure } from './codes.ts'
import { decideQuestion, decisionFacts, seenBy } from './decide-question.ts'
import { type Judged, judgeSubject } from './evidence.ts'
import type { KnownReleases, ReleaseFacts } from './releases/known-releases.ts'
import { Remembered } from './remembered.ts'
import type { PreparedRules } from './rules.ts'
import type { Gate, Question, Subject, Verdict } from './types.ts'

export interface ContentGateOptions {
  /** Asked for with every question, so that a change of policy or trust counts from the next one on. */
  readonly rules: () => PreparedRules
  /** Where decisions are recorded; without it none is. */
  readonly audit?: Audit
  /** Which releases of whom were let in before: what shows a rollback. */
  readonly releases?: KnownReleases
  readonly now?: () => Date
  /** Decisions that are remembered. */
  readonly remembered?: number
}

interface Decided extends Decision {
  readonly at: Date
}

/**
 * Judges the proofs, decides, records, answers. Both steps of judging are remembered, by digests alone: the same
 * proofs under the same trust, the same evidence under the same policy; never longer than what they rest on lasts.
 * What is recorded is recorded for every question, remembered or not.
 */
export class ContentGate implements Gate {
  readonly #options: ContentGateOptions
  readonly #now: () => Date
  readonly #judged: Remembered<Judged>
  readonly #decided: Remembered<Decided>

  constructor(options: ContentGateOptions) {
    this.#options = options
    this.#now = options.now ?? (() => new Date())
    this.#judged = new Remembered(limits.rememberedEvidenceBytes)
    this.#decided = new Remembered(options.remembered ?? limits.rememberedVerdicts)
  }

  async ask(question: Question, signal: AbortSignal): Promise<Verdict> {
    signal.throwIfAborted()
    checkQuestion(question)
    const rules = this.#options.rules()
    const at = this.#now()
    const judged = question.subjects.map((subject) => this.#judge(subject, rules, at))
    const releases = await this.#options.releases?.about(judged)
    const { decision, remembered } = this.#decide(question, judged, releases, rules, at)
    const { at: decidedAt, ...answer } = decision
    if (question.dryRun) return { ...answer, remembered }
    const entry = await this.#record(question, judged, releases, rules, decision, at, decidedAt)
    if (answer.allowed && !question.isInquiry)
      await this.#options.releases?.admitted(question.action, judged, at)
    return { ...answer, remembered, ...(entry !== undefined && { entry }) }
  }

  #judge(subject: Subject, rules: PreparedRules, at: Date): Judged {
    const key = factsKey(subject, rules.trust.digest)
    const known = this.#judged.get(key, at)
    if (known) return known
    const judged = judgeSubject(subject, rules.trust, at)
    // An entry weighs something even where its evidence is nothing.
    this.#judged.set(key, judged, 1024 + judged.bytes.length)
    return judged
  }

  #decide(
    question: Question,
    judged: readonly Judged[],
    releases: ReleaseFacts | undefined,
    rules: PreparedRules,
    at: Date,
  ): { decision: Decided; remembered: boolean } {
    const key = questionKey(question, judged, releases, rules.policy)
    const known = this.#decided.get(key, at)
    if (known) return { decision: known, remembered: true }
    const evidence = question.subjects.map(({ reference }, index) => {
      const { evidence: facts, validUntil } = judged[index]!
      return { reference, evidence: facts, validUntil }
    })
    const asked = { ...question, evidence, releases }
    const decision: Decided = { ...decideQuestion(rules.policy, asked, at), at }
    this.#decided.set(key, decision)
    return { decision, remembered: false }
  }

  async #record(
    question: Question,
    judged: readonly Judged[],
    releases: ReleaseFacts | undefined,
    rules: PreparedRules,
    decision: Decision,
    at: Date,
    decidedAt: Date,
  ): Promise<number | undefined> {
    const { audit } = this.#options
    if (!audit) return undefined
    const { objects } = audit
    const proofs = question.subjects.flatMap((subject) =>
      [subject, ...(subject.within ?? [])].flatMap((holder) =>
        holder.proofs.filter((proof) => !proof.unreadable),
      ),
    )
    // All that the entry names is there before the entry is.
    const [kept, whole, known] = await Promise.all([
      rules.keep(objects),
      keepJson(objects, decisionFacts(decision)),
      releases && keepJson(objects, releases),
      ...judged.map(({ bytes }) => objects.keep(bytes)),
      ...proofs.map(({ bytes }) => objects.keep(bytes)),
    ])
    const record = await recordOf(
      { question, judged, decision, at, decidedAt, ...kept, whole, releases: known },
      objects,
    )
    return audit.append(record)
  }
}

function checkQuestion({ subjects }: Question): void {
  if (subjects.length === 0) throw failure('QUESTION_INVALID', 'a question names at least one content')
  for (const { digest, reference } of subjects) {
    const at = reference.indexOf('@')
    if (at >= 0 && reference.slice(at + 1) !== digest) {
      throw failure('QUESTION_INVALID', `${reference} was said of ${digest}`)
    }
  }
}

/** Names the proofs by their digests: whoever made a `Proof` computed its digest from its bytes. */
function factsKey(subject: Subject, trust: string): string {
  const parts = [trust]
  for (const { digest, mediaType, proofs } of [subject, ...(subject.within ?? [])]) {
    const named = proofs.map((proof) => `${proof.form} ${proof.digest}`).sort()
    parts.push(`${digest} ${mediaType}`, ...named, '')
  }
  return parts.join('\n')
}

/** Equal for questions that the policy cannot tell apart. */
function questionKey(
  question: Question,
  judged: readonly Judged[],
  releases: ReleaseFacts | undefined,
  policy: Policy,
): string {
  const { action, environment, subjects } = question
  const { principal, context } = seenBy(policy, question)
  const named = subjects.map(({ reference }, index): [string, Digest] => [reference, judged[index]!.digest])
  const key = {
    action,
    environment,
    principal,
    context,
    named,
    releases: releases ?? null,
    policy: policy.digest,
  }
  return createHash('sha256')
    .update(canonicalJson(key as unknown as Json))
    .digest('base64')
}
