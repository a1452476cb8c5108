import { Type } from 'typebox'
import { canonicalJson, type Json, type Limits, limits, parseJson } from '#base/index.ts'
import { shapeProblems, tell } from '#base/shape/index.ts'
import { type Digest, isObject } from '#oci/index.ts'
import type { Reason } from '#policy/index.ts'
import { failure } from '../codes.ts'
import { type Action, actions, type Environment, environments } from '../types.ts'
import { checkReadable } from './check-readable.ts'

/** Who asked, as a record keeps it. */
export interface RecordedPrincipal {
  readonly kind: string
  readonly name: string
  readonly groups?: readonly string[]
}

/** A content in a question, and the digest of the facts that its proofs gave. */
export interface RecordedSubject {
  readonly digest: Digest
  readonly reference: string
  readonly mediaType: string
  readonly evidence: Digest
  /** What holds it and whose proofs counted too, outermost last. */
  readonly within?: readonly Digest[]
  /** When its proofs were judged, where that was before the record's `at`. */
  readonly judgedAt?: string
}

/**
 * One decision: an entry of the audit log, in canonical JSON. What is large or the same for many is kept beside the
 * log by its digest: the facts, the policy, the trust material, and the proofs that the facts name.
 */
export interface DecisionRecord {
  readonly type: 'decision'
  /** RFC 3339 in UTC with milliseconds: the moment that was judged. */
  readonly at: string
  /** When the decision was made, where it was remembered since. */
  readonly decidedAt?: string
  readonly action: Action
  readonly environment: Environment
  readonly principal: RecordedPrincipal
  readonly roles?: readonly string[]
  /** All of them; only the first ones where there is a `question`. */
  readonly subjects: readonly RecordedSubject[]
  readonly context?: Json
  /** Subjects and context (canonical JSON of both) where they are too large for one entry. */
  readonly question?: Digest
  /** The known releases that were held against what came: canonical JSON, by digest. */
  readonly releases?: Digest
  readonly policy: Digest
  readonly trust: Digest
  readonly allowed: boolean
  /** The first ones where there are many; the whole decision is in `decision`. */
  readonly reasons: readonly Reason[]
  /** Canonical JSON of allowed, reasons, outputs and validUntil: what a replay must give again. */
  readonly decision: Digest
  readonly validUntil?: string
}

/** Somebody read (or tried to read) protected content, or changed it. */
export interface AccessRecord {
  readonly type: 'access'
  readonly at: string
  readonly principal: RecordedPrincipal
  readonly verb: string
  readonly repository: string
  readonly reference?: string
  /** What it was, where that is known. */
  readonly digest?: string
  readonly allowed: boolean
  readonly reason?: string
}

/** What the far side says it did with a content: the entry that a receipt proves. */
export interface ReceiptRecord {
  readonly type: 'receipt'
  readonly at: string
  /** Who is the far side. */
  readonly site: string
  readonly content: Digest
  readonly name?: string
  readonly version?: string
  readonly action: 'verified' | 'loaded' | 'installed' | 'upgraded' | 'uninstalled'
  /** Log index of the decision by which it was let in. */
  readonly decision?: number
  /** What the near side asked to be repeated, so that an old receipt is no answer to a new question. */
  readonly challenge?: string
  /** Of the far side's own key, over the record without this member. */
  readonly signature?: { readonly keyId: string; readonly value: string }
}

/**
 * A policy's decision about something that is no content: evidence that was appraised, a key that was released. The
 * policy saw exactly `input` with the members of `shared` put back.
 */
export interface EvaluationRecord {
  readonly type: 'evaluation'
  readonly at: string
  readonly purpose: 'release' | 'appraisal'
  readonly principal: RecordedPrincipal
  /** What it is about: `resource/default/key/one`, `attestation/default_cpu`. */
  readonly resource: string
  /** Which policy spoke, for people: `resource@3`. */
  readonly policyName: string
  readonly policy: Digest
  /** One of both: what is large is kept beside the log. */
  readonly input?: Json
  readonly inputDigest?: Digest
  /** Members of the input that are the same for many, each kept beside the log. */
  readonly shared?: Readonly<Record<string, Digest>>
  readonly allowed: boolean
  /** The first ones where there are many. */
  readonly reasons: readonly Reason[]
  /** The whole decision, as `DecisionRecord.decision`; one of both. */
  readonly decision?: Json
  readonly decisionDigest?: Digest
  readonly validUntil?: string
}

export type AuditRecord = DecisionRecord | AccessRecord | ReceiptRecord | EvaluationRecord

const text = Type.String({ maxLength: 8192 })
const digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' })
const time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' })
const principal = Type.Object({ kind: text, name: text, groups: Type.Optional(Type.Array(text)) })
const reason = Type.Object({ code: text, message: text, remedy: Type.Optional(text) })
const schemas: Readonly<Record<string, Type.TSchema>> = {
  decision: Type.Object({
    type: Type.Literal('decision'),
    at: time,
    decidedAt: Type.Optional(time),
    action: Type.Enum([...actions]),
    environment: Type.Enum([...environments]),
    principal,
    roles: Type.Optional(Type.Array(text)),
    subjects: Type.Array(
      Type.Object({
        digest: text,
        reference: text,
        mediaType: text,
        evidence: digest,
        within: Type.Optional(Type.Array(text)),
        judgedAt: Type.Optional(time),
      }),
    ),
    context: Type.Optional(Type.Unsafe<Json>({})),
    question: Type.Optional(digest),
    releases: Type.Optional(digest),
    policy: digest,
    trust: digest,
    allowed: Type.Boolean(),
    reasons: Type.Array(reason),
    decision: digest,
    validUntil: Type.Optional(time),
  }),
  evaluation: Type.Object({
    type: Type.Literal('evaluation'),
    at: time,
    purpose: Type.Enum(['release', 'appraisal']),
    principal,
    resource: text,
    policyName: text,
    policy: digest,
    input: Type.Optional(Type.Unsafe<Json>({})),
    inputDigest: Type.Optional(digest),
    shared: Type.Optional(Type.Record(Type.String(), digest)),
    allowed: Type.Boolean(),
    reasons: Type.Array(reason),
    decision: Type.Optional(Type.Unsafe<Json>({})),
    decisionDigest: Type.Optional(digest),
    validUntil: Type.Optional(time),
  }),
  access: Type.Object({
    type: Type.Literal('access'),
    at: time,
    principal,
    verb: text,
    repository: text,
    reference: Type.Optional(text),
    digest: Type.Optional(text),
    allowed: Type.Boolean(),
    reason: Type.Optional(text),
  }),
  receipt: Type.Object({
    type: Type.Literal('receipt'),
    at: time,
    site: text,
    content: text,
    name: Type.Optional(text),
    version: Type.Optional(text),
    action: Type.Enum(['verified', 'loaded', 'installed', 'upgraded', 'uninstalled']),
    decision: Type.Optional(Type.Integer({ minimum: 0 })),
    challenge: Type.Optional(Type.String({ maxLength: 128 })),
    signature: Type.Optional(
      Type.Object({
        keyId: Type.String({ pattern: '^[0-9a-f]{64}$' }),
        value: Type.String({ pattern: '^[A-Za-z0-9+/]{1,256}={0,2}$' }),
      }),
    ),
  }),
}

/**
 * An entry's bytes. What could not be read back is not written: one such entry would blind every reader.
 *
 * @throws RECORD_INVALID
 */
export function recordBytes(record: AuditRecord): Uint8Array {
  const known = written.get(record)
  if (known) return known
  const problems = shapeProblems(schemas[record.type]!, record)
  if (problems.length > 0) throw failure('RECORD_INVALID', `this cannot be recorded: ${tell(problems)}`)
  checkReadable(record)
  const bytes = canonicalJson(record as unknown as Json)
  written.set(record, bytes)
  return bytes
}

/** Whoever looks how large a record is goes on to append it, and records never change. */
const written = new WeakMap<AuditRecord, Uint8Array>()

/** Reads an entry of the log back. @throws RECORD_INVALID */
export function parseRecord(bytes: Uint8Array, bounds: Limits = limits): AuditRecord {
  let value: Json
  try {
    value = parseJson(bytes, { maxBytes: bounds.logEntryBytes, maxDepth: 2 * bounds.jsonDepth })
  } catch (cause) {
    throw failure('RECORD_INVALID', 'an entry of the audit log is no JSON', { cause })
  }
  const type = isObject(value) ? value.type : undefined
  const schema = typeof type === 'string' && Object.hasOwn(schemas, type) ? schemas[type] : undefined
  if (!schema) throw failure('RECORD_INVALID', 'an entry of the audit log is of no known type')
  const problems = shapeProblems(schema, value)
  if (problems.length > 0)
    throw failure('RECORD_INVALID', `an entry of the audit log is damaged: ${tell(problems)}`)
  return value as unknown as AuditRecord
}
