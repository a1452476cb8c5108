import { type KeyObject, sign, verify } from 'node:crypto'
import { hashOf } from './algorithm.ts'
import { failure } from './codes.ts'
import { publicKeyOf } from './public-key.ts'
import type { PublicKey, Signer, Verifier } from './types.ts'

/** A signer that holds its key in memory. @throws KEY_TYPE_REFUSED */
export function privateKeySigner(privateKey: KeyObject): Signer {
  if (privateKey.type !== 'private') throw failure('KEY_TYPE_REFUSED', 'only a private key signs')
  const key = publicKeyOf(privateKey)
  const hash = hashOf(key.algorithm)
  return {
    async sign(bytes) {
      try {
        return { bytes: new Uint8Array(sign(hash, bytes, { key: privateKey, dsaEncoding: 'der' })), key }
      } catch (cause) {
        throw failure('SIGNING_FAILED', `the ${key.algorithm} key ${key.id} did not sign`, { cause })
      }
    },
  }
}

/** Judges signatures by this key alone: ECDSA in DER, RSA as PKCS #1 v1.5, Ed25519 as it is. */
export function keyVerifier(publicKey: PublicKey): Verifier {
  const { algorithm, id, key } = publicKey
  const hash = hashOf(algorithm)
  return {
    async verify(bytes, signature) {
      let isGood = false
      try {
        isGood = verify(hash, bytes, { key, dsaEncoding: 'der' }, signature)
      } catch {
        // A malformed signature is as bad as a wrong one.
      }
      if (!isGood)
        throw failure('SIGNATURE_INVALID', `the signature is not one of the ${algorithm} key ${id}`)
      return publicKey
    },
  }
}
