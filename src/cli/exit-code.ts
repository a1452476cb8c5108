import { SealiftError } from '#base/index.ts'

/** What the shell is told (design: 0 done, 1 failure, 2 usage, 3 not found, 4 authentication, 5 refused, 130 interrupted). */
export const exitCodes = {
  done: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  authentication: 4,
  refused: 5,
  interrupted: 130,
} as const

type ExitName = keyof typeof exitCodes

/** Codes of other rooms that mean more to a shell than "failure". */
const named: Readonly<Record<string, ExitName>> = {
  USAGE: 'usage',
  LOCATION_INVALID: 'usage',
  SETTINGS_INVALID: 'usage',
  PROJECT_INVALID: 'usage',
  PARAMETER_INVALID: 'usage',
  PARAMETER_MISSING: 'usage',
  PARAMETER_UNKNOWN: 'usage',
  CREDENTIAL_MISSING: 'usage',
  CREDENTIAL_SET_INVALID: 'usage',
  ACTION_UNKNOWN: 'usage',
  VOLUME_INVALID: 'usage',
  INSTALLATION_NAME: 'usage',
  REFERENCE_INVALID: 'usage',
  TRUST_ROOT_INVALID: 'usage',
  TRUST_MATERIAL_INVALID: 'usage',
  IDENTITY_PATTERN_INVALID: 'usage',
  PLATFORM_INVALID: 'usage',
  DIGEST_INVALID: 'usage',
  IMAGE_SPEC_INVALID: 'usage',
  LISTEN_ADDRESS_INVALID: 'usage',
  ADMISSION_CONFIGURATION_INVALID: 'usage',
  PROXY_INVALID: 'usage',
  POLICY_SYNTAX: 'usage',
  POLICY_DATA_INVALID: 'usage',
  POLICY_RULE_MISSING: 'usage',
  POLICY_FORBIDDEN: 'usage',
  POLICY_TOO_LARGE: 'usage',
  POLICY_EMPTY: 'usage',
  TRUST_POLICY_INVALID: 'usage',
  CONTENT_NOT_FOUND: 'notFound',
  PLATFORM_NOT_FOUND: 'notFound',
  INSTALLATION_NOT_FOUND: 'notFound',
  OUTPUT_MISSING: 'notFound',
  REGISTRY_UNAUTHORIZED: 'authentication',
  REGISTRY_FORBIDDEN: 'authentication',
  REGISTRY_TOKEN_INVALID: 'authentication',
  CREDENTIALS_INVALID: 'authentication',
  CREDENTIAL_HELPER_FAILED: 'authentication',
  ACCESS_RULES_INVALID: 'usage',
  PRINCIPAL_INVALID: 'usage',
  ACCESS_DENIED: 'refused',
  PASSWORD_MISSING: 'usage',
  PASSWORD_INVALID: 'usage',
  KEY_PASSWORD_WRONG: 'authentication',
  SIGNATURE_INVALID: 'refused',
  CERTIFICATE_REQUEST_INVALID: 'refused',
  VERIFICATION_FAILED: 'refused',
  NOT_ADMITTED: 'refused',
  NOT_PERMITTED: 'refused',
  RELEASE_OVERDUE: 'refused',
  AUDIT_NOT_FOUND: 'notFound',
  RECEIPT_NOTHING: 'notFound',
  DIGEST_MISMATCH: 'refused',
  SIZE_MISMATCH: 'refused',
  CONTENT_DAMAGED: 'refused',
  ARCHIVE_HOSTILE: 'refused',
  IMAGE_DIGEST: 'refused',
  LAYER_HOSTILE: 'refused',
  LAYER_MISMATCH: 'refused',
  ROOTFS_HOSTILE: 'refused',
  OUTPUT_HOSTILE: 'refused',
  REGISTRY_DIGEST_REFUSED: 'refused',
  NOTE_KEY_INVALID: 'usage',
  LOG_NOT_FOUND: 'notFound',
  LOG_ENTRY_MISSING: 'notFound',
  NOTE_INVALID: 'refused',
  NOTE_SIGNATURE_INVALID: 'refused',
  NOTE_KEY_UNKNOWN: 'refused',
  CHECKPOINT_INVALID: 'refused',
  LOG_ORIGIN_WRONG: 'refused',
  LOG_TILE_INVALID: 'refused',
  LOG_FORKED: 'refused',
  LOG_ROLLED_BACK: 'refused',
  LOG_PROOF_INVALID: 'refused',
  SIGNATURE_ABSENT: 'refused',
  SUBJECT_MISMATCH: 'refused',
  KEY_UNTRUSTED: 'refused',
  KEY_EXPIRED: 'refused',
  KEY_NOT_YET_VALID: 'refused',
  IDENTITY_MISMATCH: 'refused',
  CERTIFICATE_EXPIRED: 'refused',
  CERTIFICATE_NOT_YET_VALID: 'refused',
  CERTIFICATE_UNTRUSTED: 'refused',
  CERTIFICATE_NOT_LOGGED: 'refused',
  NOT_IN_LOG: 'refused',
  TIMESTAMP_INVALID: 'refused',
  NO_TRUSTED_TIME: 'refused',
  REVOKED: 'refused',
  PROOF_MALFORMED: 'refused',
  PROOF_TOO_LARGE: 'refused',
  PROOF_TOO_MANY: 'refused',
  PROOF_UNREADABLE: 'refused',
  PREDICATE_INVALID: 'refused',
  RECEIPT_INVALID: 'refused',
  RECEIPT_OTHER_CONTENT: 'refused',
  RECEIPT_CHALLENGE: 'refused',
  RECEIPT_UNSIGNED: 'refused',
  NOT_HELD: 'refused',
  RELEASE_MEMORY_DAMAGED: 'refused',
  RECORD_INVALID: 'refused',
  AUDIT_OBJECT_MISSING: 'refused',
  INTERRUPTED: 'interrupted',
  ACTION_CANCELED: 'interrupted',
}

/** Every code that has an exit code of its own; a test knows that there is such a code. */
export const namedCodes: readonly string[] = Object.keys(named)

/** What the shell is told of a failure with this code, wherever nothing more is known of it. */
export const exitCodeFor = (code: string): number => exitCodes[named[code] ?? 'failure']

export function exitCodeOf(error: unknown): number {
  if (error instanceof SealiftError) {
    const errno = error.detail.errno
    if (error.code === 'FILE_SYSTEM' && errno === 'ENOENT') return exitCodes.notFound
    return exitCodeFor(error.code)
  }
  if (error instanceof Error && error.name === 'AbortError') return exitCodes.interrupted
  return exitCodes.failure
}
