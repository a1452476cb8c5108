import { jsonAt } from '#base/index.ts'
import { type Digest, isObject } from '#oci/index.ts'
import type { Reason } from '#policy/index.ts'
import type { AuditRecord, EvaluationRecord, RecordedPrincipal } from '../audit/record.ts'

/** Where a record stands, and who exports it. */
export interface EntryPlace {
  /** The log's origin. */
  readonly log: string
  readonly index: number
  /** Of the program that exports. */
  readonly version: string
}

/** One record as every export tells it: what is the same for decisions, accesses, receipts and evaluations. */
export interface AuditEvent {
  /** RFC 3339 in UTC with milliseconds. */
  readonly at: string
  readonly type: AuditRecord['type']
  /** What somebody wanted to do, or did: `install`, `pull`, `verified`. */
  readonly operation: string
  readonly principal: RecordedPrincipal
  readonly allowed: boolean
  readonly contents: readonly { readonly name: string; readonly digest?: Digest }[]
  readonly reasons: readonly Reason[]
  /** What only some records have. */
  readonly details: Readonly<Record<string, string>>
  /** One line for a person. */
  readonly title: string
}

/** @throws nothing: a record that `parseRecord` gives can be told */
export function auditEvent(record: AuditRecord): AuditEvent {
  if (record.type === 'decision') {
    const { at, type, action, environment, principal, roles, subjects, allowed, reasons } = record
    return {
      at,
      type,
      operation: action,
      principal,
      allowed,
      contents: subjects.map(({ reference, digest }) => ({ name: reference, digest })),
      reasons,
      details: {
        environment,
        policy: record.policy,
        trust: record.trust,
        decision: record.decision,
        ...(roles && { roles: roles.join(',') }),
        ...(record.validUntil !== undefined && { validUntil: record.validUntil }),
      },
      title: `${action} in ${environment} ${allowed ? 'allowed' : 'denied'}`,
    }
  }
  if (record.type === 'access') {
    const { at, type, principal, verb, repository, reference, allowed, reason } = record
    return {
      at,
      type,
      operation: verb,
      principal,
      allowed,
      contents: [{ name: reference === undefined ? repository : `${repository}:${reference}` }],
      reasons: reason === undefined ? [] : [{ code: allowed ? 'ALLOWED' : 'DENIED', message: reason }],
      details: {},
      title: `${verb} ${allowed ? 'allowed' : 'denied'}`,
    }
  }
  if (record.type === 'evaluation') {
    const { at, type, purpose, principal, resource, allowed, reasons, policy, policyName } = record
    return {
      at,
      type,
      operation: purpose,
      principal,
      allowed,
      contents: [{ name: resource }],
      reasons,
      details: {
        policy,
        policyName,
        ...trustClaimsOf(record),
        ...(record.validUntil !== undefined && { validUntil: record.validUntil }),
      },
      title: purpose === 'release' ? `key release ${allowed ? 'allowed' : 'denied'}` : 'evidence appraised',
    }
  }
  const { at, type, site, content, name, version, action, decision, signature } = record
  return {
    at,
    type,
    operation: action,
    principal: { kind: 'site', name: site },
    allowed: true,
    contents: [
      { name: [name, version].filter((part) => part !== undefined).join(' ') || content, digest: content },
    ],
    reasons: [],
    details: {
      ...(decision !== undefined && { decisionIndex: String(decision) }),
      ...(signature && { keyId: signature.keyId }),
    },
    title: `content ${action}`,
  }
}

/** What an appraisal thinks of the evidence (AR4SI section 2.3): a yes says only that there is one. */
function trustClaimsOf({ purpose, decision }: EvaluationRecord): { trustClaims?: string } {
  const claims = purpose === 'appraisal' && decision ? jsonAt(decision, '/outputs/trust_claims') : undefined
  if (!isObject(claims)) return {}
  const told = Object.entries(claims).filter(([, value]) => typeof value === 'number')
  return told.length === 0 ? {} : { trustClaims: told.map(([name, value]) => `${name}=${value}`).join(' ') }
}

/** Who acts, as one text. */
export function principalText({ kind, name }: RecordedPrincipal): string {
  return name === '' ? kind : `${kind}:${name}`
}

/**
 * The text with every character that could end a line, or change how one is shown, written as \uXXXX: what comes from
 * outside cannot make a second event (control characters, line and paragraph separators, bidirectional overrides).
 */
export function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
      Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at))}`).join(''),
    )
}

/** At most so many characters, none of them cut in two. */
export function shortened(text: string, most: number): string {
  return text.length <= most
    ? text
    : `${text
        .slice(0, most - 1)
        .toWellFormed()
        .replace(/\ufffd$/, '')}…`
}

const hex = (unit: number): string => unit.toString(16).padStart(4, '0')
