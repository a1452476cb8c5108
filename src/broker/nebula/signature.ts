import { createPublicKey, verify } from 'node:crypto'
import { derReader, derWriter, type PublicKey, publicKeyOf } from '#keys/index.ts'
import type { NebulaCurve } from './node-key.ts'

/** SubjectPublicKeyInfo up to the key: Ed25519 (RFC 8410), a point of P-256 (RFC 5480). */
const spki = {
  CURVE25519: Buffer.from('302a300506032b6570032100', 'hex'),
  P256: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
} as const

/** The order of P-256 (FIPS 186-5, SP 800-186 section 3.2.1.3). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** An authority's key from the bytes in its certificate, or undefined where they are no point of the curve. */
export function signingKey(curve: NebulaCurve, bytes: Uint8Array): PublicKey | undefined {
  try {
    const key = Buffer.concat([spki[curve], bytes])
    return publicKeyOf(createPublicKey({ key, format: 'der', type: 'spki' }))
  } catch {
    return undefined
  }
}

/** The bytes by which a certificate names an authority's key, or undefined for keys that Nebula does not know. */
export function signingKeyBytes(curve: NebulaCurve, { spki: whole }: PublicKey): Uint8Array | undefined {
  const prefix = spki[curve]
  const isOfCurve =
    whole.length === prefix.length + (curve === 'P256' ? 65 : 32) &&
    Buffer.from(whole.subarray(0, prefix.length)).equals(prefix)
  return isOfCurve ? whole.subarray(prefix.length) : undefined
}

/** Whether the signature is this key's over these bytes. */
export function isSignedBy(
  curve: NebulaCurve,
  key: Uint8Array,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  const found = signingKey(curve, key)
  if (!found) return false
  try {
    const hash = curve === 'P256' ? 'sha256' : null
    return verify(hash, signed, { key: found.key, dsaEncoding: 'der' }, signature)
  } catch {
    return false
  }
}

/** The form with the lower s: the one that Nebula writes since 1.10.3. @throws where it is no ECDSA signature in DER */
export function lowS(signature: Uint8Array): Uint8Array {
  const { s } = parts(signature)
  return s > order / 2n ? otherForm(signature) : signature
}

/** (r, n - s) for (r, s): as good a signature. The same bytes where they are none. */
export function otherForm(signature: Uint8Array): Uint8Array {
  try {
    const { r, s } = parts(signature)
    if (s === 0n || s >= order) return signature
    return derWriter.sequence(integerOf(r), integerOf(order - s))
  } catch (error) {
    if (error instanceof derReader.NotDer) return signature
    throw error
  }
}

function parts(signature: Uint8Array): { r: bigint; s: bigint } {
  const [r, s, ...more] = derReader.readSequence(derReader.readDer(signature))
  if (more.length > 0) throw new derReader.NotDer('there is more than r and s')
  return { r: numberOf(r), s: numberOf(s) }
}

function numberOf(value: derReader.DerValue | undefined): bigint {
  const { content } = derReader.expectTag(value, derWriter.tags.integer)
  if (content.length === 0 || content[0]! >= 0x80) throw new derReader.NotDer('a number is negative')
  return BigInt(`0x${Buffer.from(content).toString('hex')}`)
}

const integerOf = (value: bigint) =>
  derWriter.integer(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
