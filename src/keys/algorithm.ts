import type { KeyObject } from 'node:crypto'
import { failure } from './codes.ts'
import type { KeyAlgorithm } from './types.ts'

export const keyAlgorithms = [
  'ed25519',
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p521',
  'rsa',
] as const satisfies readonly KeyAlgorithm[]

interface Facts {
  /** As OpenSSL calls it; absent where the algorithm hashes by itself. */
  readonly hash: string | undefined
  readonly curve?: string
  /** Size of the SPKI with a named curve and an uncompressed point (RFC 5480): every other form is refused by it. */
  readonly spkiBytes?: number
}

const facts: Readonly<Record<KeyAlgorithm, Facts>> = {
  ed25519: { hash: undefined, spkiBytes: 44 },
  'ecdsa-p256': { hash: 'sha256', curve: 'prime256v1', spkiBytes: 91 },
  'ecdsa-p384': { hash: 'sha384', curve: 'secp384r1', spkiBytes: 120 },
  'ecdsa-p521': { hash: 'sha512', curve: 'secp521r1', spkiBytes: 158 },
  rsa: { hash: 'sha256' },
}

/** The hash that goes with an algorithm, as OpenSSL calls it; null where it hashes by itself. */
export const hashOf = (algorithm: KeyAlgorithm): string | null => facts[algorithm].hash ?? null

export const curveOf = (algorithm: KeyAlgorithm): string | undefined => facts[algorithm].curve

/** Sizes of RSA keys that are taken, in bits: NIST SP 800-131A wants 2048; verifying with huge ones is slow. */
const rsaBits = { least: 2048, most: 8192 }

/** What kind of key this is. @throws KEY_TYPE_REFUSED */
export function algorithmOf(key: KeyObject): KeyAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'ed25519') return 'ed25519'
  if (type === 'ec') {
    const found = keyAlgorithms.find((name) => facts[name].curve && facts[name].curve === details?.namedCurve)
    if (found) return found
    throw failure(
      'KEY_TYPE_REFUSED',
      `an elliptic curve key on ${details?.namedCurve ?? 'a curve without a name'}`,
    )
  }
  if (type !== 'rsa') throw failure('KEY_TYPE_REFUSED', `a key of type ${type ?? 'unknown'}`)
  const bits = details?.modulusLength ?? 0
  if (bits < rsaBits.least || bits > rsaBits.most) {
    throw failure(
      'KEY_TYPE_REFUSED',
      `an RSA key of ${bits} bits, where ${rsaBits.least} to ${rsaBits.most} are taken`,
    )
  }
  const exponent = details?.publicExponent ?? 0n
  if (exponent < 3n || exponent % 2n === 0n || exponent >= 1n << 32n) {
    throw failure('KEY_TYPE_REFUSED', 'an RSA key whose public exponent is even, below 3 or over 32 bits')
  }
  return 'rsa'
}

/** Whether an SPKI is in the one form in which keys have one id each. */
export function isPlainForm(algorithm: KeyAlgorithm, spki: Uint8Array): boolean {
  const { spkiBytes } = facts[algorithm]
  return spkiBytes === undefined || spki.length === spkiBytes
}
