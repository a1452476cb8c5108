import { isFailure, type Json } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import { compilePolicy, type Policy, type PolicyFile } from '#policy/index.ts'
import {
  type Proof,
  proofOf,
  type SubjectEvidence,
  type TrustMaterial,
  unreadableProof,
} from '#trust/index.ts'
import { decideQuestion, decisionFacts, type JudgedQuestion } from '../decide-question.ts'
import { judgeSubject } from '../evidence.ts'
import type { ReleaseFacts } from '../releases/known-releases.ts'
import { type PreparedRules, prepareRules } from '../rules.ts'
import type { Holder } from '../types.ts'
import type { AuditReader } from './audit.ts'
import { type Objects, readJson } from './objects.ts'
import type { DecisionRecord, RecordedSubject } from './record.ts'
import { questionOf, sameJson } from './record-of.ts'

/** Something that a replay gave otherwise than the record says. */
export interface Difference {
  /** `missing`: what the record names cannot be had, so nothing can be said. */
  readonly kind: 'evidence' | 'decision' | 'policy' | 'missing'
  readonly what: string
}

export interface Replayed {
  readonly index: number
  readonly record: DecisionRecord
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
  const stored = new StoredRules(audit.objects)
  for await (const { index, record } of audit.records(options.from, options.to)) {
    options.signal?.throwIfAborted()
    if (record.type === 'decision')
      yield { index, record, differences: await differencesOf(record, audit.objects, stored) }
  }
}

async function differencesOf(
  record: DecisionRecord,
  objects: Objects,
  stored: StoredRules,
): Promise<Difference[]> {
  try {
    const rules = await stored.rules(record)
    const { subjects, context } = await questionOf(record, (digest) => readJson(objects, digest))
    const differences: Difference[] = []
    const evidence: JudgedQuestion['evidence'][number][] = []
    for (const subject of subjects) {
      const recorded = await stored.evidence(subject.evidence)
      const again = judgeSubject(
        await storedSubject(subject, recorded, objects),
        rules.trust,
        new Date(subject.judgedAt ?? record.at),
      )
      if (again.digest !== subject.evidence) {
        const what = `the proofs of ${subject.reference} are judged otherwise than they were`
        differences.push({ kind: 'evidence', what })
      }
      evidence.push({ reference: subject.reference, evidence: recorded, validUntil: again.validUntil })
    }
    const releases = record.releases
      ? ((await readJson(objects, record.releases)) as unknown as ReleaseFacts)
      : undefined
    const { action, environment, principal, roles } = record
    const asked = { action, environment, principal, roles, context, evidence, releases }
    const decision = decideQuestion(
      rules.policy,
      asked as JudgedQuestion,
      new Date(record.decidedAt ?? record.at),
    )
    if (!sameJson(decisionFacts(decision), await readJson(objects, record.decision))) {
      const verdict = (allowed: boolean) => (allowed ? 'yes' : 'no')
      const what =
        decision.allowed === record.allowed
          ? 'the policy gives other reasons, outputs or an other end'
          : `the policy says ${verdict(decision.allowed)}, the record says ${verdict(record.allowed)}`
      differences.push({ kind: 'decision', what })
    }
    return differences
  } catch (error) {
    if (isFailure(error, 'AUDIT_OBJECT_MISSING')) return [{ kind: 'missing', what: error.message }]
    if (isFailure(error)) return [{ kind: 'policy', what: error.message }]
    throw error
  }
}

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

/** Policies, trust and evidence that many records share: read and prepared once. */
class StoredRules {
  readonly #objects: Objects
  readonly #rules = new Map<string, Promise<PreparedRules>>()
  readonly #evidence = new Map<Digest, Promise<SubjectEvidence>>()

  constructor(objects: Objects) {
    this.#objects = objects
  }

  rules({ policy, trust }: DecisionRecord): Promise<PreparedRules> {
    return remember(this.#rules, `${policy} ${trust}`, 64, () => this.#read(policy, trust))
  }

  evidence(digest: Digest): Promise<SubjectEvidence> {
    return remember(
      this.#evidence,
      digest,
      1024,
      async () => (await readJson(this.#objects, digest)) as unknown as SubjectEvidence,
    )
  }

  async #read(policy: Digest, trust: Digest): Promise<PreparedRules> {
    const stored = (await readJson(this.#objects, policy)) as unknown as StoredPolicy
    const material = (await readJson(this.#objects, trust)) as unknown as TrustMaterial
    const compiled = compilePolicy(stored.files, { data: stored.data, rule: stored.rule })
    return prepareRules({ policy: compiled, material })
  }
}

interface StoredPolicy {
  readonly files: readonly PolicyFile[]
  readonly data: Json
  readonly rule: Policy['rule']
}

function remember<K, V>(map: Map<K, Promise<V>>, key: K, most: number, make: () => Promise<V>): Promise<V> {
  const known = map.get(key)
  if (known) return known
  if (map.size >= most) map.clear()
  const value = make()
  map.set(key, value)
  value.catch(() => map.delete(key))
  return value
}
