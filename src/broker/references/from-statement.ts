import { type Static, Type } from 'typebox'
import type { ReferenceValue } from '#attestation/index.ts'
import { isFailure, type Json, jsonAt, limits, parseJson } from '#base/index.ts'
import { shapeProblems, tell } from '#base/shape/index.ts'
import { claimedProof, judge, legacyProof, type Proof, type ProofFacts, proofOf } from '#trust/index.ts'
import { failure } from './codes.ts'
import { dateTime } from './date-time.ts'
import { isFrom, referenceValuesType, type StatementRule, type StatementTrust } from './statement-rules.ts'

/** What a statement gave, and who said it by which bytes. */
export interface StatementReferences {
  readonly values: readonly ReferenceValue[]
  /** `statement sha256:... by key build`. */
  readonly origin: string
}

const predicateSchema = Type.Object(
  {
    values: Type.Record(Type.String(), Type.Unsafe<Json>({}), { minProperties: 1 }),
    expires: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)

const dayMs = 86_400_000

/** Whether bytes that were sent are a signed statement: a Sigstore bundle, or a DSSE envelope alone. */
export function isStatement(bytes: Uint8Array): boolean {
  const value = jsonOf(bytes)
  return jsonAt(value, '/dsseEnvelope') !== undefined || jsonAt(value, '/payloadType') !== undefined
}

/**
 * Reference values that somebody signed, who is trusted for it: what was built says itself what may run. The statement
 * (in-toto) is judged as any proof of this product is; its words become values by the rules for who signed it. A value
 * ends with the statement, its signer's key or the rule's days, whichever is first.
 *
 * @throws REFERENCE_STATEMENT_REFUSED, REFERENCE_STATEMENT_INVALID
 */
export function referencesFromStatement(
  bytes: Uint8Array,
  { trust, rules }: StatementTrust,
  at: Date,
): StatementReferences {
  const { facts, statement } = judged(bytes, trust, at)
  const { signer, predicateType, digest } = facts
  const wanted = rules.filter(
    ({ type = referenceValuesType, from }) =>
      type === predicateType && from.some((one) => isFrom(one, signer)),
  )
  const who = signer.kind === 'key' ? `key ${signer.name}` : `${signer.identity} (${signer.issuer})`
  if (wanted.length === 0)
    throw failure('REFERENCE_STATEMENT_REFUSED', `no rule takes ${predicateType.slice(0, 200)} from ${who}`)
  const values = new Map<string, ReferenceValue>()
  for (const rule of wanted) {
    for (const value of valuesBy(rule, facts, statement, at)) values.set(value.name, value)
  }
  return { values: [...values.values()], origin: `statement ${digest} by ${who}` }
}

function judged(bytes: Uint8Array, trust: StatementTrust['trust'], at: Date) {
  const proof = proofIn(bytes)
  const { problem, subjects } = claimedProof(proof)
  if (problem) throw invalid(`${problem.message} [${problem.code}]`)
  const [digest] = subjects
  if (!digest) throw invalid('the statement is about nothing that has a digest')
  let facts: ProofFacts
  try {
    facts = judge(proof, { digest }, trust, at)
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw failure('REFERENCE_STATEMENT_REFUSED', `${cause.message} [${cause.code}]`, { cause })
  }
  // The bytes that were judged: what they say of their other subjects is signed as well.
  const value = jsonOf(bytes)
  const payload = jsonAt(value, '/dsseEnvelope/payload') ?? jsonAt(value, '/payload')
  return { facts, statement: jsonOf(Buffer.from(String(payload), 'base64')) }
}

function proofIn(bytes: Uint8Array): Proof {
  const isBundle = jsonAt(jsonOf(bytes), '/dsseEnvelope') !== undefined
  return isBundle
    ? proofOf('bundle', bytes)
    : legacyProof('legacy-attestation', { payload: bytes, annotations: {} })
}

function valuesBy(
  { type = referenceValuesType, names, values = {}, days = 365 }: StatementRule,
  { predicate = null, validUntil }: ProofFacts,
  statement: Json | undefined,
  at: Date,
): ReferenceValue[] {
  const ends = [at.getTime() + days * dayMs]
  if (validUntil !== undefined) ends.push(Date.parse(validUntil))
  if (type !== referenceValuesType) {
    const expiration = new Date(Math.min(...ends))
    return Object.entries(values).map(([name, source]) => ({
      name,
      value: valueAt(statement, source, name),
      expiration,
    }))
  }
  const said = ownPredicate(predicate)
  if (said.expires !== undefined) ends.push(said.expires.getTime())
  const expiration = new Date(Math.min(...ends))
  if (expiration <= at) throw failure('REFERENCE_STATEMENT_REFUSED', 'what the statement says has expired')
  const forbidden = names && Object.keys(said.values).find((name) => !names.includes(name))
  if (forbidden !== undefined) {
    throw failure(
      'REFERENCE_STATEMENT_REFUSED',
      `its signer may not say what ${JSON.stringify(forbidden.slice(0, 200))} is`,
    )
  }
  return Object.entries(said.values).map(([name, value]) => ({ name, value, expiration }))
}

function valueAt(
  statement: Json | undefined,
  source: NonNullable<StatementRule['values']>[string],
  name: string,
): Json {
  const found = (pointer: string): Json => {
    const value = jsonAt(statement, pointer)
    if (value !== undefined) return value
    throw invalid(`the statement has nothing at ${pointer}, where ${name} is looked for`)
  }
  if (typeof source === 'string') return found(source)
  if (Array.isArray(source)) return source.map(found)
  const { subjects: algorithm } = source as { subjects: string }
  const subjects = found('/subject')
  const digests = Array.isArray(subjects)
    ? subjects.map((subject) => jsonAt(subject, '/digest')).map((set) => ownText(set, algorithm))
    : []
  if (digests.length === 0 || digests.includes(undefined))
    throw invalid(`a subject of the statement has no ${algorithm} digest`)
  return digests as string[]
}

function ownText(set: Json | undefined, name: string): string | undefined {
  if (typeof set !== 'object' || set === null || Array.isArray(set) || !Object.hasOwn(set, name))
    return undefined
  const value = set[name]
  return typeof value === 'string' ? value : undefined
}

function ownPredicate(predicate: Json): { values: { readonly [name: string]: Json }; expires?: Date } {
  const problems = shapeProblems(predicateSchema, predicate)
  if (problems.length > 0) throw invalid(`the predicate is refused: ${tell(problems)}`)
  const { values, expires } = predicate as Static<typeof predicateSchema>
  if (expires === undefined) return { values }
  const end = dateTime(expires)
  if (!end) throw invalid('"expires" of the predicate is not a time (RFC 3339)')
  return { values, expires: end }
}

function jsonOf(bytes: Uint8Array): Json | undefined {
  try {
    return parseJson(bytes, { maxBytes: limits.proofBytes })
  } catch (error) {
    if (isFailure(error)) return undefined
    throw error
  }
}

const invalid = (why: string) => failure('REFERENCE_STATEMENT_INVALID', why)
