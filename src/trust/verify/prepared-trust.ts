import { canonicalJson, isFailure, type Json, limits } from '#base/index.ts'
import { type PublicKey, parsePublicKey } from '#keys/index.ts'
import { type Digest, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { Revocation, TrustMaterial } from '../types.ts'
import { parseTrustedRoot, type TrustedRoot } from './trusted-root.ts'

/** A trusted key, ready to verify with. Times are milliseconds. */
export interface PreparedKey {
  readonly name: string
  readonly key: PublicKey
  readonly validFrom: number
  readonly validUntil: number
  readonly revokedAt: number
}

declare const minted: unique symbol

/** Trust material, taken apart once for many judgements. */
export interface PreparedTrust {
  readonly [minted]: true
  /** Of the material's canonical JSON. */
  readonly digest: Digest
  readonly keys: readonly PreparedKey[]
  readonly roots: readonly TrustedRoot[]
  isRevoked(what: Revocation): boolean
}

/** @throws TRUST_MATERIAL_INVALID, TRUST_ROOT_INVALID */
export function prepareTrust(
  material: TrustMaterial,
  most: { readonly trustedKeys: number; readonly trustEntries: number } = limits,
): PreparedTrust {
  checkCounts(material, most)
  const keys = material.keys.map(prepareKey)
  refuseTwins(
    'key',
    keys.map(({ name }) => name),
  )
  refuseTwins(
    'key',
    keys.map(({ key }) => key.id),
    (id) => {
      const names = keys.flatMap(({ name, key }) => (key.id === id ? [name] : []))
      return `${names.join(' and ')} are one key: one signer would count as two`
    },
  )
  const roots = material.roots.map(parseTrustedRoot)
  refuseTwins(
    'trusted root',
    roots.map(({ name }) => name),
  )
  const revoked = new Set((material.revoked ?? []).map(revocationKey))
  return {
    digest: digestOf(canonicalJson(material as unknown as Json)),
    keys,
    roots,
    isRevoked: (what) => revoked.has(revocationKey(what)),
  } as Omit<PreparedTrust, typeof minted> as PreparedTrust
}

function prepareKey({
  name,
  pem,
  validFrom,
  validUntil,
  revokedAt,
}: TrustMaterial['keys'][number]): PreparedKey {
  try {
    return {
      name,
      key: parsePublicKey(Buffer.from(pem)),
      validFrom: timeOf(validFrom) ?? Number.NEGATIVE_INFINITY,
      validUntil: timeOf(validUntil) ?? Number.POSITIVE_INFINITY,
      revokedAt: timeOf(revokedAt) ?? Number.POSITIVE_INFINITY,
    }
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw failure('TRUST_MATERIAL_INVALID', `the key ${name} cannot be used: ${cause.message}`, { cause })
  }
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(time))
    throw failure('TRUST_MATERIAL_INVALID', `${text.slice(0, 40)} is no time (RFC 3339)`)
  return time
}

/** A signature without a hint is tried with every key: their number times that of the proofs is work for anybody. */
function checkCounts(
  { keys, roots, revoked = [] }: TrustMaterial,
  most: { readonly trustedKeys: number; readonly trustEntries: number },
): void {
  if (keys.length > most.trustedKeys) {
    throw failure(
      'TRUST_MATERIAL_INVALID',
      `${keys.length} trusted keys are over the limit of ${most.trustedKeys}`,
    )
  }
  const entries = keys.length + roots.length + revoked.length
  if (entries > most.trustEntries) {
    throw failure(
      'TRUST_MATERIAL_INVALID',
      `${entries} keys, roots and revocations are over the limit of ${most.trustEntries}`,
    )
  }
}

function refuseTwins(what: string, names: readonly string[], why?: (name: string) => string): void {
  const twin = names.find((name, at) => names.indexOf(name) !== at)
  if (twin === undefined) return
  throw failure('TRUST_MATERIAL_INVALID', why ? why(twin) : `there are two ${what}s called ${twin}`)
}

const hexPattern = /^([0-9a-f]{2})+$/

/** One spelling for each, so that what is revoked is found. @throws TRUST_MATERIAL_INVALID for any other spelling */
function revocationKey(what: Revocation): string {
  if ('keyId' in what && /^[0-9a-f]{64}$/.test(what.keyId)) return `key ${what.keyId}`
  if ('proof' in what && /^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$/.test(what.proof)) {
    return `proof ${what.proof}`
  }
  if ('certificate' in what) {
    const { issuerKeyId, serial } = what.certificate
    if (/^[0-9a-f]{64}$/.test(issuerKeyId) && hexPattern.test(serial)) {
      return `certificate ${issuerKeyId} ${serial.replace(/^(00)+(?=..)/, '')}`
    }
  }
  throw failure(
    'TRUST_MATERIAL_INVALID',
    'a revocation names neither a key, a certificate nor a proof in its one form',
  )
}
