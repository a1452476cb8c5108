import { canonicalJson, isFailure, type Json, limits, parseJson } from '#base/index.ts'
import { failure } from '../codes.ts'
import type { NamedRoot, TrustedKey } from '../types.ts'
import { parseTrustedRoot } from '../verify/trusted-root.ts'

/** How a trusted root came here. */
export type RootOrigin =
  /** A person gave the file. */
  | { readonly kind: 'file' }
  /** In a signed update. */
  | { readonly kind: 'carried'; readonly version: number; readonly keyId: string }
  /** From a TUF repository; its metadata as it was last seen, by file name, which is what stops it going back. */
  | {
      readonly kind: 'tuf'
      readonly mirror: string
      readonly version: number
      readonly metadata: Readonly<Record<string, string>>
    }

/** One trusted root as it is kept here. */
export interface StoredRoot extends NamedRoot {
  readonly origin: RootOrigin
  /** When it came here last, RFC 3339 in UTC: what its age is counted from. */
  readonly fetchedAt: string
  /** Whose updates count for it; nobody else's do. */
  readonly updateKeys: readonly TrustedKey[]
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** A name under which a root can be kept: it is part of a path. @throws TRUST_ROOT_NAME_INVALID */
export function checkRootName(name: string): string {
  if (namePattern.test(name)) return name
  throw failure(
    'TRUST_ROOT_NAME_INVALID',
    `${JSON.stringify(name.slice(0, 80))} is no name for a trusted root`,
  )
}

export const formatRoot = (stored: StoredRoot): Uint8Array => canonicalJson(stored as unknown as Json)

/** Most bytes of a record: its root, and where it came by TUF the four files of metadata. */
export const recordBytes = 2 * limits.manifestBytes

/** What `formatRoot` wrote. @throws TRUST_STORE_DAMAGED */
export function parseRoot(bytes: Uint8Array, name: string): StoredRoot {
  try {
    const record = parseJson(bytes, { maxBytes: recordBytes }) as unknown as StoredRoot
    const { origin, fetchedAt, updateKeys, issuers } = record
    const isWhole =
      record.name === name &&
      ['file', 'carried', 'tuf'].includes(origin?.kind) &&
      (origin.kind === 'file' || Number.isSafeInteger(origin.version)) &&
      !Number.isNaN(Date.parse(fetchedAt)) &&
      (issuers === undefined ||
        (Array.isArray(issuers) && issuers.every((one) => typeof one === 'string'))) &&
      Array.isArray(updateKeys) &&
      updateKeys.every((key) => typeof key?.name === 'string' && typeof key.pem === 'string')
    if (!isWhole) throw failure('TRUST_ROOT_INVALID', 'a part of it is missing')
    parseTrustedRoot(record)
    return record
  } catch (cause) {
    if (!isFailure(cause) && !(cause instanceof TypeError)) throw cause
    throw failure('TRUST_STORE_DAMAGED', `what is kept of the trusted root ${name} cannot be read`, { cause })
  }
}
