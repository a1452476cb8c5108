import type { Json } from '#base/index.ts'
import { type Digest, digestAlgorithm, digestHex } from '#oci/index.ts'
import type { AuditRecord } from '../audit/record.ts'
import { auditEvent, type EntryPlace } from './audit-event.ts'

const ocsfVersion = '1.6.0'
/** API Activity, of the category Application Activity; what Sealift does is none of create, read, update, delete. */
const classUid = 6003
const otherActivity = 99
/** `fingerprint.algorithm_id`. */
const algorithmIds = { sha256: 3, sha384: 99, sha512: 4 } as const

/** An entry of the audit log as an OCSF event, class API Activity (schema.ocsf.io, 1.6.0), to be written as JSON. */
export function toOcsf(record: AuditRecord, { log, index, version }: EntryPlace): { [key: string]: Json } {
  const event = auditEvent(record)
  const { principal, allowed, reasons, details } = event
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
    category_uid: 6,
    category_name: 'Application Activity',
    class_uid: classUid,
    class_name: 'API Activity',
    type_uid: classUid * 100 + otherActivity,
    type_name: 'API Activity: Other',
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
    actor: {
      user: {
        ...(principal.name !== '' && { name: principal.name }),
        uid: `${principal.kind}:${principal.name}`,
        type_id: 99,
        type: principal.kind,
        ...(principal.groups && { groups: principal.groups.map((name) => ({ name })) }),
      },
    },
    api: { operation: event.operation, service: { name: 'sealift' } },
    // The log knows who asked, not from which address.
    src_endpoint: { name: 'unknown' },
    resources: event.contents.map(({ name, digest }) => ({
      name,
      type: 'OCI content',
      ...(digest && { uid: digest, data: { hashes: [fingerprint(digest)] } }),
    })),
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
