import { canonicalJson, type Json, limits } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import type { Decision, Reason } from '#policy/index.ts'
import type { Judged } from '../evidence.ts'
import type { Question } from '../types.ts'
import { keepJson, type Objects } from './objects.ts'
import { type DecisionRecord, type RecordedSubject, recordBytes } from './record.ts'

interface Recorded {
  readonly question: Question
  readonly judged: readonly Judged[]
  readonly decision: Decision
  readonly at: Date
  /** When the decision was made, where it was remembered since. */
  readonly decidedAt: Date
  /** Digests of what is kept. */
  readonly policy: Digest
  readonly trust: Digest
  readonly whole: Digest
  readonly releases: Digest | undefined
}

/** The entry for one decision; what makes it too large for one is kept by digest, and its beginning told. */
export async function recordOf(recorded: Recorded, objects: Objects): Promise<DecisionRecord> {
  const { question, judged, decision, at, decidedAt, policy, trust, whole, releases } = recorded
  const { action, environment, principal, roles, context } = question
  const moment = at.toISOString()
  const told = (time: Date) => (time.getTime() === at.getTime() ? undefined : time.toISOString())
  const subjects = question.subjects.map((subject, index): RecordedSubject => {
    const { digest: evidence, at: judgedAt } = judged[index]!
    const judgedTime = told(judgedAt)
    const within = subject.within?.map(({ digest }) => digest) ?? []
    return {
      digest: subject.digest,
      reference: subject.reference,
      mediaType: subject.mediaType,
      evidence,
      ...(within.length > 0 && { within }),
      ...(judgedTime !== undefined && { judgedAt: judgedTime }),
    }
  })
  const decided = told(decidedAt)
  const record: DecisionRecord = {
    type: 'decision',
    at: moment,
    ...(decided !== undefined && { decidedAt: decided }),
    action,
    environment,
    principal: {
      kind: principal.kind,
      name: principal.name,
      ...(principal.groups && { groups: principal.groups }),
    },
    ...(roles && { roles }),
    subjects,
    ...(context !== undefined && { context }),
    ...(releases && { releases }),
    policy,
    trust,
    allowed: decision.allowed,
    reasons: decision.reasons.slice(0, limits.recordedReasons).map(shortened),
    decision: whole,
    ...(decision.validUntil && { validUntil: decision.validUntil.toISOString() }),
  }
  if (recordBytes(record).length <= limits.logEntryBytes) return record
  const asked = { subjects, ...(context !== undefined && { context }) } as unknown as Json
  const { context: _, ...rest } = record
  return { ...rest, subjects: subjects.slice(0, fewSubjects), question: await keepJson(objects, asked) }
}

const fewSubjects = 16
const longestText = 512

/** A reason in few words: the whole of it is in the decision. */
export function shortened({ code, message, remedy }: Reason): Reason {
  const cut = (text: string) =>
    text.length > longestText ? `${text.slice(0, longestText)}…`.toWellFormed() : text
  return { code: cut(code), message: cut(message), ...(remedy !== undefined && { remedy: cut(remedy) }) }
}

/** All subjects and the context of a record, from the log's entry or from beside it. */
export async function questionOf(
  record: DecisionRecord,
  read: (digest: Digest) => Promise<Json>,
): Promise<{ subjects: readonly RecordedSubject[]; context?: Json }> {
  if (!record.question)
    return { subjects: record.subjects, ...(record.context !== undefined && { context: record.context }) }
  return (await read(record.question)) as unknown as { subjects: readonly RecordedSubject[]; context?: Json }
}

/** Whether two values are the same JSON. */
export const sameJson = (one: Json, other: Json): boolean =>
  Buffer.from(canonicalJson(one)).equals(canonicalJson(other))
