import { constants, type KeyObject, verify } from 'node:crypto'
import { isEd25519ph } from '#keys/index.ts'

/** Whether the signature is good. `hash` is null for Ed25519, sha512 for Ed25519ph; RSA is PKCS #1 v1.5. Never throws. */
export function verifyBytes(
  key: KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
  hash: string | null,
): boolean {
  if (key.asymmetricKeyType === 'ed25519' && hash === 'sha512') return isPrehashed(key, bytes, signature)
  if ((hash === null) !== (key.asymmetricKeyType === 'ed25519')) return false
  try {
    return key.asymmetricKeyType === 'rsa'
      ? verify(hash, bytes, { key, padding: constants.RSA_PKCS1_PADDING }, signature)
      : verify(hash, bytes, key, signature)
  } catch {
    return false
  }
}

function isPrehashed(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  const { x = '' } = key.export({ format: 'jwk' })
  return isEd25519ph(Buffer.from(x, 'base64url'), bytes, signature)
}

/** The hashes that a signature by this key may be over: the curve's own first (Sigstore's registry of algorithms). */
export function hashesFor(key: KeyObject): readonly (string | null)[] {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return [null]
    case 'rsa':
      return ['sha256']
    case 'ec':
      return curveHashes[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? []
    default:
      return []
  }
}

// Older tools signed with SHA-256 whatever the curve (PKIX_ECDSA_P384_SHA_256 in the registry).
const curveHashes: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['sha256'],
  secp384r1: ['sha384', 'sha256'],
  secp521r1: ['sha512', 'sha256'],
}

/** Whether the signature over these bytes is good by the key's own algorithm. */
export function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  return hashesFor(key).some((hash) => verifyBytes(key, bytes, signature, hash))
}

/**
 * The same for what a publisher signed: Ed25519ph counts too, which cosign makes so that logs can hold the hash alone.
 * Logs never make it, and a wrong one costs milliseconds: of theirs, a hostile bundle could hold hundreds.
 */
export function isContentSignedBy(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (isSignedBy(key, bytes, signature)) return true
  return key.asymmetricKeyType === 'ed25519' && verifyBytes(key, bytes, signature, 'sha512')
}
