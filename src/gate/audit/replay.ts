import { isFailure, type Json } from '#base/index.ts'
import { type Digest, isObject } from '#oci/index.ts'
import { compilePolicy, decide, type Policy, type PolicyFile } from '#policy/index.ts'
import {
  type Proof,
  proofOf,
  type SubjectEvidence,
  type TrustMaterial,
  unreadableProof,
} from '#trust/index.ts'
import { failure } from '../codes.ts'
import { decideQuestion, decisionFacts, type JudgedQuestion, seenBy } from '../decide-question.ts'
import { recordedDecision, recordedInput } from '../evaluation/evaluation-record.ts'
import { judgeSubject } from '../evidence.ts'
import type { ReleaseFacts } from '../releases/known-releases.ts'
import { type PreparedRules, prepareRules } from '../rules.ts'
import type { Holder } from '../types.ts'
import type { AuditReader } from './audit.ts'
import { type Objects, readJson } from './objects.ts'
import type { DecisionRecord, EvaluationRecord, RecordedSubject } from './record.ts'
import { questionOf, sameJson } from './record-of.ts'

/** Something that a replay gave otherwise than the record says. */
export interface Difference {
  /** `missing`: what the record names cannot be had, so nothing can be said. */
  readonly kind: 'evidence' | 'decision' | 'policy' | 'missing'
  readonly what: string
}

export interface Replayed {
  readonly index: number
  readonly record: DecisionRecord | EvaluationRecord
  /** Empty: the same answer again. */
  readonly differences: readonly Difference[]
}

export interface ReplayOptions {
  readonly from?: number
  readonly to?: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Evaluates recorded decisions again, from what is kept beside the log alone: each stored proof is judged under the
 * stored trust material at the recorded moment, and the stored policy decides over the outcome. No network, no
 * clock: the same answer a year later.
 */
export async function* replay(audit: AuditReader, options: ReplayOptions = {}): AsyncGenerator<Replayed> {
  const again = new Replaying(audit.objects)
  for await (const { index, record } of audit.records(options.from, options.to)) {
    options.signal?.throwIfAborted()
    if (record.type === 'decision' || record.type === 'evaluation')
      yield { index, record, differences: await again.differencesOf(record) }
  }
}

/** What judging one subject again came to. */
interface JudgedAgain {
  readonly isSame: boolean
  readonly validUntil?: Date | undefined
}

/**
 * One replay. Judging and deciding are pure, so what was done for one record is not done again for the next one that
 * has the same inputs and the same moment.
 */
class Replaying {
  readonly #objects: Objects
  readonly #rules = new Map<string, Promise<PreparedRules>>()
  readonly #policies = new Map<string, Promise<Policy>>()
  readonly #kept = new Map<Digest, Promise<Json>>()
  readonly #judged = new Map<string, Promise<JudgedAgain>>()
  readonly #decided = new Map<string, Json>()

  constructor(objects: Objects) {
    this.#objects = objects
  }

  async differencesOf(record: DecisionRecord | EvaluationRecord): Promise<Difference[]> {
    try {
      return record.type === 'evaluation' ? await this.#evaluate(record) : await this.#compare(record)
    } catch (error) {
      if (isFailure(error, 'AUDIT_OBJECT_MISSING')) return [{ kind: 'missing', what: error.message }]
      if (isFailure(error)) return [{ kind: 'policy', what: error.message }]
      throw error
    }
  }

  /** What a policy said of something that is no content: its whole input is in the record. */
  async #evaluate(record: EvaluationRecord): Promise<Difference[]> {
    const read = (digest: Digest) => this.#read(digest)
    const policy = await remember(this.#policies, record.policy, async () =>
      compileStored(await read(record.policy)),
    )
    const input = await recordedInput(record, read)
    const decided = decisionFacts(decide(policy, { ...input }, new Date(record.at)))
    return sameJson(decided, await recordedDecision(record, read)) ? [] : [differenceOf(decided, record)]
  }

  async #compare(record: DecisionRecord): Promise<Difference[]> {
    const rules = await this.#rulesOf(record)
    const { subjects, context } = await questionOf(record, (digest) => this.#read(digest))
    const differences: Difference[] = []
    const evidence: JudgedQuestion['evidence'][number][] = []
    for (const subject of subjects) {
      const { isSame, validUntil } = await this.#judge(record, subject, rules)
      if (!isSame) {
        const what = `the proofs of ${subject.reference} are judged otherwise than they were`
        differences.push({ kind: 'evidence', what })
      }
      const facts = (await this.#read(subject.evidence)) as unknown as SubjectEvidence
      evidence.push({ reference: subject.reference, evidence: facts, validUntil })
    }
    const { action, environment, principal, roles } = record
    const releases = record.releases && ((await this.#read(record.releases)) as unknown as ReleaseFacts)
    const asked = { action, environment, principal, roles, context, evidence, releases } as JudgedQuestion
    const decided = this.#decide(record, asked, rules)
    if (!sameJson(decided, await this.#read(record.decision))) differences.push(differenceOf(decided, record))
    return differences
  }

  #judge(record: DecisionRecord, subject: RecordedSubject, rules: PreparedRules): Promise<JudgedAgain> {
    const { digest, mediaType, evidence, within = [] } = subject
    const at = subject.judgedAt ?? record.at
    const key = [record.trust, digest, mediaType, evidence, at, ...within].join(' ')
    return remember(this.#judged, key, async () => {
      const recorded = (await this.#read(evidence)) as unknown as SubjectEvidence
      const again = judgeSubject(
        await storedSubject(subject, recorded, this.#objects),
        rules.trust,
        new Date(at),
      )
      return { isSame: again.digest === evidence, validUntil: again.validUntil }
    })
  }

  #decide(record: DecisionRecord, asked: JudgedQuestion, { policy }: PreparedRules): Json {
    const at = record.decidedAt ?? record.at
    const named = asked.evidence.map(({ reference, validUntil }, index) => [
      reference,
      record.subjects[index]?.evidence ?? '',
      validUntil?.getTime() ?? null,
    ])
    const { action, environment } = record
    const seen = seenBy(policy, asked)
    // Of a question that is kept beside the log, not all evidence stands in the record: its digest stands for it.
    const whole = [record.policy, record.question ?? null, record.releases ?? null, action, environment, at]
    const key = JSON.stringify([whole, seen, named])
    const known = this.#decided.get(key)
    if (known !== undefined) return known
    const facts = decisionFacts(decideQuestion(policy, asked, new Date(at)))
    if (this.#decided.size >= most) this.#decided.clear()
    this.#decided.set(key, facts)
    return facts
  }

  #rulesOf({ policy, trust }: DecisionRecord): Promise<PreparedRules> {
    return remember(this.#rules, `${policy} ${trust}`, async () => {
      const material = (await this.#read(trust)) as unknown as TrustMaterial
      return prepareRules({ policy: compileStored(await this.#read(policy)), material })
    })
  }

  #read(digest: Digest): Promise<Json> {
    return remember(this.#kept, digest, () => readJson(this.#objects, digest))
  }
}

function differenceOf(decided: Json, record: { readonly allowed: boolean }): Difference {
  const verdict = (allowed: boolean) => (allowed ? 'yes' : 'no')
  const { allowed } = decided as unknown as { allowed: boolean }
  const what =
    allowed === record.allowed
      ? 'the policy gives other reasons, outputs or an other end'
      : `the policy says ${verdict(allowed)}, the record says ${verdict(record.allowed)}`
  return { kind: 'decision', what }
}

/** As many of each thing are remembered; then one begins anew. */
const most = 4096

/** The subject as it was asked about: its proofs from where the record's facts say they are kept. */
async function storedSubject(subject: RecordedSubject, recorded: SubjectEvidence, objects: Objects) {
  const all = [...recorded.signatures, ...recorded.attestations, ...recorded.refused]
  const proofsOf = async (about: Digest): Promise<Proof[]> => {
    const named = new Map(
      all.filter(({ subject }) => subject === about).map((facts) => [`${facts.form} ${facts.digest}`, facts]),
    )
    return Promise.all(
      [...named.values()].map(async (facts) => {
        const { form, digest } = facts
        // What could not be had then is not there now: it is refused again for the same reason.
        if ('code' in facts && facts.code === 'PROOF_UNREADABLE')
          return unreadableProof(form, digest, digest, facts)
        return proofOf(form, await objects.read(digest))
      }),
    )
  }
  const { digest, mediaType, reference } = subject
  // That they hold the subject was seen when the question was asked; the record says which they were.
  const within = await Promise.all(
    (subject.within ?? []).map(
      async (holder) =>
        ({ digest: holder, mediaType: '', proofs: await proofsOf(holder) }) as unknown as Holder,
    ),
  )
  return { digest, mediaType, reference, proofs: await proofsOf(digest), within }
}

type StoredPolicy = Pick<Policy, 'data' | 'rule' | 'ignores' | 'predicates'> & {
  readonly files: readonly PolicyFile[]
}

/** @throws RECORD_INVALID where this is no policy, and what `compilePolicy` throws */
function compileStored(stored: Json): Policy {
  const files = isObject(stored) ? stored.files : undefined
  const isFile = (file: Json) =>
    isObject(file) && typeof file.path === 'string' && typeof file.text === 'string'
  if (!Array.isArray(files) || !files.every(isFile))
    throw failure('RECORD_INVALID', 'what the record names as its policy is none')
  const policy = stored as unknown as StoredPolicy
  return compilePolicy(policy.files, policy)
}

function remember<K, V>(map: Map<K, Promise<V>>, key: K, make: () => Promise<V>): Promise<V> {
  const known = map.get(key)
  if (known) return known
  if (map.size >= most) map.clear()
  const value = make()
  map.set(key, value)
  value.catch(() => map.delete(key))
  return value
}
