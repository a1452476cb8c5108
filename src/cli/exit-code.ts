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
  REFERENCE_INVALID: 'usage',
  PLATFORM_INVALID: 'usage',
  DIGEST_INVALID: 'usage',
  CONTENT_NOT_FOUND: 'notFound',
  INSTALLATION_UNKNOWN: 'notFound',
  REGISTRY_UNAUTHORIZED: 'authentication',
  REGISTRY_DENIED: 'authentication',
  CREDENTIALS_INVALID: 'authentication',
  VERIFICATION_FAILED: 'refused',
  DIGEST_MISMATCH: 'refused',
  SIZE_MISMATCH: 'refused',
  CONTENT_DAMAGED: 'refused',
  ARCHIVE_HOSTILE: 'refused',
  INTERRUPTED: 'interrupted',
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof SealiftError) {
    const errno = error.detail.errno
    if (error.code === 'FILE_SYSTEM' && errno === 'ENOENT') return exitCodes.notFound
    return exitCodes[named[error.code] ?? 'failure']
  }
  if (error instanceof Error && error.name === 'AbortError') return exitCodes.interrupted
  return exitCodes.failure
}
