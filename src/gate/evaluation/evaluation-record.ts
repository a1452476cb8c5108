import { type Json, limits } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import { keepJson, type Objects } from '../audit/objects.ts'
import { type EvaluationRecord, recordBytes } from '../audit/record.ts'
import { shortened } from '../audit/record-of.ts'
import { decisionFacts } from '../decide-question.ts'
import type { Evaluated } from './types.ts'

/** Of an input or a decision, in canonical JSON: what is larger lies beside the log, so that entries stay small. */
const inlineBytes = 24 * 1024
/** Each has at most three texts of 512 characters, which are at most six bytes long. */
const fewReasons = 4

/**
 * The entry for one evaluation. Usually nothing but the entry is written: what a guest says is told once, and small.
 *
 * @param policy digest under which the policy is kept already
 */
export async function evaluationRecord(
  { evaluation, decision, at }: Evaluated,
  policy: Digest,
  objects: Objects,
): Promise<EvaluationRecord> {
  const { purpose, principal, resource, policyName, input, shared: names = [] } = evaluation
  const own: Record<string, Json> = {}
  const shared: Record<string, Digest> = {}
  for (const [name, value] of Object.entries(input)) {
    if (names.includes(name)) shared[name] = await keepJson(objects, value)
    else own[name] = value
  }
  const seen = await inlineOrKept(own, objects)
  const said = await inlineOrKept(decisionFacts(decision), objects)
  const record: EvaluationRecord = {
    type: 'evaluation',
    at: at.toISOString(),
    purpose,
    principal,
    resource: resource.toWellFormed(),
    policyName,
    policy,
    ...('inline' in seen ? { input: seen.inline } : { inputDigest: seen.digest }),
    ...(Object.keys(shared).length > 0 && { shared }),
    allowed: decision.allowed,
    reasons: decision.reasons.slice(0, limits.recordedReasons).map(shortened),
    ...('inline' in said ? { decision: said.inline } : { decisionDigest: said.digest }),
    ...(decision.validUntil && { validUntil: decision.validUntil.toISOString() }),
  }
  // Together they can still be too long, with reasons that are all escapes.
  if (recordBytes(record).length <= limits.logEntryBytes) return record
  const { input: _, decision: __, ...rest } = record
  const beside: EvaluationRecord = {
    ...rest,
    inputDigest: await keepJson(objects, own),
    decisionDigest: await keepJson(objects, decisionFacts(decision)),
  }
  if (recordBytes(beside).length <= limits.logEntryBytes) return beside
  return { ...beside, reasons: beside.reasons.slice(0, fewReasons) }
}

async function inlineOrKept(value: Json, objects: Objects): Promise<{ inline: Json } | { digest: Digest }> {
  // The canonical form has the same members: it is as long as this one, and takes longer to make.
  const isSmall = Buffer.byteLength(JSON.stringify(value)) <= inlineBytes
  return isSmall ? { inline: value } : { digest: await keepJson(objects, value) }
}

/** What the policy saw, whole again. @throws AUDIT_OBJECT_MISSING */
export async function recordedInput(
  { input, inputDigest, shared = {} }: EvaluationRecord,
  read: (digest: Digest) => Promise<Json>,
): Promise<Readonly<Record<string, Json>>> {
  const own = inputDigest === undefined ? (input ?? {}) : await read(inputDigest)
  const whole: Record<string, Json> = { ...(own as Record<string, Json>) }
  for (const [name, digest] of Object.entries(shared)) whole[name] = await read(digest)
  return whole
}

/** The whole decision of a record. @throws AUDIT_OBJECT_MISSING */
export const recordedDecision = async (
  { decision, decisionDigest }: EvaluationRecord,
  read: (digest: Digest) => Promise<Json>,
): Promise<Json> => (decisionDigest === undefined ? (decision ?? null) : read(decisionDigest))
