import {
  constants,
  createCipheriv,
  encapsulate,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { toBase64Url } from '../base64.ts'
import { type ProtocolVersion, protocolOf } from '../messages/index.ts'
import { agreedKey, encapsulatedKey, wrapKey } from './key-wrap.ts'
import type { TeeCurve, TeeKey } from './parse-tee-key.ts'

interface WrappedKey {
  readonly encryptedKey: Uint8Array
  /** What the recipient needs beside it, in the protected header. */
  readonly header?: object
}

const content = 'A256GCM'

/**
 * Bytes so that only the TEE's key opens them: a flattened JWE (RFC 7516 section 7.2.2), A256GCM under a key of its
 * own. Guests write the protected header anew from what they parsed to authenticate it, so its members stand in the
 * order in which theirs come out: alg, enc, then epk {crv, kty, x, y} or ek.
 *
 * For 0.1.x the header is plain JSON that nothing authenticates, and the tag follows the ciphertext.
 */
export function encryptTo(teeKey: TeeKey, plaintext: Uint8Array, version: ProtocolVersion): Uint8Array {
  const key = randomBytes(32)
  const iv = randomBytes(12)
  const { encryptedKey, header } = wrap(teeKey, key)
  const plainHeader = JSON.stringify({ alg: teeKey.algorithm, enc: content, ...header })
  const isLegacy = protocolOf(version).encryption === 'legacy'
  const protectedHeader = isLegacy ? plainHeader : toBase64Url(Buffer.from(plainHeader))
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  if (!isLegacy) cipher.setAAD(Buffer.from(protectedHeader, 'ascii'))
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  const tag = cipher.getAuthTag()
  key.fill(0)
  return Buffer.from(
    JSON.stringify({
      protected: protectedHeader,
      encrypted_key: toBase64Url(encryptedKey),
      iv: toBase64Url(iv),
      ciphertext: toBase64Url(isLegacy ? Buffer.concat([ciphertext, tag]) : ciphertext),
      tag: isLegacy ? '' : toBase64Url(tag),
    }),
  )
}

function wrap({ algorithm, curve, key }: TeeKey, contentKey: Buffer): WrappedKey {
  switch (algorithm) {
    case 'ECDH-ES+A256KW':
      return wrapForPoint(key, curve!, contentKey)
    case 'ML-KEM-768+A192KW': {
      const { sharedKey, ciphertext } = encapsulate(key)
      const wrapping = encapsulatedKey(sharedKey)
      const encryptedKey = wrapKey(wrapping, contentKey)
      sharedKey.fill(0)
      wrapping.fill(0)
      return { encryptedKey, header: { ek: toBase64Url(ciphertext) } }
    }
    case 'RSA-OAEP-256': {
      const oaep = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
      return { encryptedKey: publicEncrypt(oaep, contentKey) }
    }
    case 'RSA1_5':
      return { encryptedKey: publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, contentKey) }
  }
}

function wrapForPoint(key: TeeKey['key'], namedCurve: TeeCurve, contentKey: Buffer): WrappedKey {
  const ephemeral = generateKeyPairSync('ec', { namedCurve })
  const wrapping = agreedKey(ephemeral.privateKey, key)
  const encryptedKey = wrapKey(wrapping, contentKey)
  wrapping.fill(0)
  const { crv, kty, x, y } = ephemeral.publicKey.export({ format: 'jwk' })
  return { encryptedKey, header: { epk: { crv, kty, x, y } } }
}
