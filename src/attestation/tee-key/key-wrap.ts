import { createCipheriv, createDecipheriv, diffieHellman, type KeyObject } from 'node:crypto'
import { concatKdf, u32 } from './concat-kdf.ts'
import { kmac256 } from './kmac256.ts'

/** RFC 3394 section 2.2.3.1. */
const initialValue = Buffer.alloc(8, 0xa6)
const cipherOf = (key: Uint8Array) => `aes${key.length * 8}-wrap`

/** AES key wrap (RFC 3394), with as many bits as the wrapping key has. */
export function wrapKey(wrapping: Uint8Array, key: Uint8Array): Buffer {
  const cipher = createCipheriv(cipherOf(wrapping), wrapping, initialValue)
  return Buffer.concat([cipher.update(key), cipher.final()])
}

/** The reverse; throws where the wrapped key was changed. */
export function unwrapKey(wrapping: Uint8Array, wrapped: Uint8Array): Buffer {
  const cipher = createDecipheriv(cipherOf(wrapping), wrapping, initialValue)
  return Buffer.concat([cipher.update(wrapped), cipher.final()])
}

/** The wrapping key of `ECDH-ES+A256KW` (RFC 7518 section 4.6). */
export function agreedKey(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  const secret = diffieHellman({ privateKey, publicKey })
  const key = concatKdf(secret, 'ECDH-ES+A256KW')
  secret.fill(0)
  return key
}

const kemAlgorithm = 'ML-KEM-768+A192KW'
/** AlgorithmID and SuppPubInfo (draft-ietf-jose-pqc-kem-05 section 5.1, as Trustee and its guests read it). */
const kemInfo = Buffer.concat([u32(kemAlgorithm.length), Buffer.from(kemAlgorithm), u32(192)])

/** The wrapping key of `ML-KEM-768+A192KW` from the encapsulated secret. */
export const encapsulatedKey = (secret: Uint8Array): Buffer => kmac256(secret, kemInfo, 24)
