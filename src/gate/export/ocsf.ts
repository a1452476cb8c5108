import type { Json } from '#base/index.ts'
import { type Digest, digestAlgorithm, digestHex } from '#oci/index.ts'
import type { AuditRecord } from '../audit/record.ts'
import { auditEvent, type EntryPlace } from './audit-event.ts'

const ocsfVersion = '1.6.0'
/** What Sealift does is none of create, read, update, delete, and no logon with a ticket. */
const otherActivity = 99
const classes = {
  /** Of the category Application Activity: decisions, readings, receipts, and secrets that guests ask for. */
  api: { category: 6, categoryName: 'Application Activity', uid: 6003, name: 'API Activity' },
  /** Of the category Identity & Access Management: evidence is a guest's way to say who it is, and gets it a token. */
  authentication: {
    category: 3,
    categoryName: 'Identity & Access Management',
    uid: 3002,
    name: 'Authentication',
  },
} as const
/** `fingerprint.algorithm_id`. */
const algorithmIds = { sha256: 3, sha384: 99, sha512: 4 } as const

/**
 * An entry of the audit log as an OCSF event (schema.ocsf.io, 1.6.0), to be written as JSON: of the class
 * Authentication where evidence was appraised, else of the class API Activity.
 */
export function toOcsf(record: AuditRecord, { log, index, version }: EntryPlace): { [key: string]: Json } {
  const event = auditEvent(record)
  const { principal, allowed, reasons, details } = event
  const isAppraisal = record.type === 'evaluation' && record.purpose === 'appraisal'
  const of = isAppraisal ? classes.authentication : classes.api
  const user = {
    ...(principal.name !== '' && { name: principal.name }),
    uid: `${principal.kind}:${principal.name}`,
    type_id: 99,
    type: principal.kind,
    ...(principal.groups && { groups: principal.groups.map((name) => ({ name })) }),
  }
  const outcome = allowed
    ? {
        status_id: 1,
        status: 'Success',
        action_id: 1,
        action: 'Allowed',
        disposition_id: 1,
        disposition: 'Allowed',
      }
    : {
        status_id: 2,
        status: 'Failure',
        action_id: 2,
        action: 'Denied',
        disposition_id: 2,
        disposition: 'Blocked',
      }
  return {
    activity_id: otherActivity,
    activity_name: event.operation,
    category_uid: of.category,
    category_name: of.categoryName,
    class_uid: of.uid,
    class_name: of.name,
    type_uid: of.uid * 100 + otherActivity,
    type_name: `${of.name}: Other`,
    severity_id: allowed ? 1 : 3,
    severity: allowed ? 'Informational' : 'Medium',
    time: Date.parse(event.at),
    message: event.title,
    ...outcome,
    ...(reasons.length > 0 && {
      status_code: reasons[0]!.code,
      status_detail: reasons.map(({ message }) => message).join('; '),
    }),
    metadata: {
      version: ocsfVersion,
      profiles: ['security_control'],
      product: { name: 'Sealift', vendor_name: 'Sealift', version },
      uid: `${log}#${index}`,
      event_code: event.type,
      log_name: log,
      sequence: index,
    },
    actor: { user },
    ...(isAppraisal
      ? {
          user,
          service: { name: 'sealift' },
          auth_protocol_id: 99,
          auth_protocol: 'Remote attestation',
        }
      : {
          api: { operation: event.operation, service: { name: 'sealift' } },
          // The log knows who asked, not from which address.
          src_endpoint: { name: 'unknown' },
          resources: event.contents.map(({ name, digest }) => ({
            name,
            type: record.type === 'evaluation' ? 'Secret' : 'OCI content',
            ...(digest && { uid: digest, data: { hashes: [fingerprint(digest)] } }),
          })),
        }),
    ...(details.policy !== undefined && { policy: { uid: details.policy, is_applied: true } }),
    unmapped: {
      ...details,
      reasons: reasons.map(({ code, message, remedy }) => ({
        code,
        message,
        ...(remedy !== undefined && { remedy }),
      })),
    },
  }
}

function fingerprint(digest: Digest): Json {
  const algorithm = digestAlgorithm(digest)
  return { algorithm_id: algorithmIds[algorithm], algorithm, value: digestHex(digest) }
}
