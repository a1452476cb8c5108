import {
  constants,
  createDecipheriv,
  createPublicKey,
  decapsulate,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto'
import { type AttestationLimits, attestationLimits, isFailure } from '#base/index.ts'
import { fromBase64Url } from '../base64.ts'
import { failure } from '../codes.ts'
import { isObject, type JsonObject, parseObject, textMember } from '../members.ts'
import { type ProtocolVersion, protocolOf } from '../messages/index.ts'
import type { TeeKeyPair } from './key-pair.ts'
import { agreedKey, encapsulatedKey, unwrapKey } from './key-wrap.ts'

const code = 'RESPONSE_UNREADABLE'
const what = 'the encrypted reply'

/**
 * What a broker encrypted to a guest's key. The algorithm is the key's own, whatever the reply says.
 *
 * @throws RESPONSE_UNREADABLE, the same for every reason that lies in the bytes of the key or the content
 */
export function decryptResponse(
  pair: TeeKeyPair,
  bytes: Uint8Array,
  version: ProtocolVersion,
  limits: AttestationLimits = attestationLimits,
): Uint8Array {
  const body = parseObject(bytes, what, code, limits.answerBytes, limits.depth)
  const isLegacy = protocolOf(version).encryption === 'legacy'
  const protectedText = textMember(body, 'protected', what, code, limits.tokenLength)
  const headerBytes = isLegacy ? Buffer.from(protectedText) : decoded(protectedText, 'protected')
  const header = parseObject(headerBytes, 'its protected header', code, limits.tokenLength)
  const { algorithm } = pair.teeKey
  if (header.alg !== algorithm || header.enc !== 'A256GCM') {
    throw failure(code, `${what} is not encrypted with ${algorithm} and A256GCM`)
  }
  const part = (name: string) => decoded(textMember(body, name, what, code, limits.answerBytes), name)
  const [encryptedKey, iv] = [part('encrypted_key'), part('iv')]
  const whole = isLegacy ? part('ciphertext') : Buffer.concat([part('ciphertext'), part('tag')])
  if (iv.length !== 12 || whole.length < 16 || (!isLegacy && part('tag').length !== 16)) {
    throw failure(code, `${what} has an iv or tag of another length than 12 and 16 bytes`)
  }
  try {
    const cipher = createDecipheriv('aes-256-gcm', unwrap(pair, header, encryptedKey), iv)
    if (!isLegacy) cipher.setAAD(Buffer.from(protectedText, 'ascii'))
    cipher.setAuthTag(whole.subarray(-16))
    return Buffer.concat([cipher.update(whole.subarray(0, -16)), cipher.final()])
  } catch (error) {
    if (isFailure(error)) throw error
    // Not told apart, and not told as a cause: that is how padding oracles come about.
    throw failure(code, `${what} cannot be opened with this key`)
  }
}

function unwrap(pair: TeeKeyPair, header: JsonObject, encryptedKey: Buffer): Buffer {
  const { privateKey: key, teeKey } = pair
  switch (teeKey.algorithm) {
    case 'ECDH-ES+A256KW':
      return unwrapKey(agreedKey(key, ephemeralKey(header, teeKey.curve!)), encryptedKey)
    case 'ML-KEM-768+A192KW': {
      const ciphertext = decoded(textMember(header, 'ek', 'its protected header', code, 4096), 'ek')
      return unwrapKey(encapsulatedKey(decapsulate(key, ciphertext)), encryptedKey)
    }
    case 'RSA-OAEP-256': {
      const oaep = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
      return privateDecrypt(oaep, encryptedKey)
    }
    case 'RSA1_5':
      return privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, encryptedKey)
  }
}

function ephemeralKey({ epk }: JsonObject, curve: string): KeyObject {
  if (!isObject(epk) || epk.kty !== 'EC' || epk.crv !== curve) {
    throw failure(code, `${what} names no ephemeral key on ${curve}`)
  }
  const x = textMember(epk, 'x', 'the ephemeral key', code, 256)
  const y = textMember(epk, 'y', 'the ephemeral key', code, 256)
  return createPublicKey({ key: { kty: 'EC', crv: curve, x, y }, format: 'jwk' })
}

function decoded(text: string, name: string): Buffer {
  const bytes = fromBase64Url(text)
  if (!bytes) throw failure(code, `"${name}" of ${what} is not base64url without padding`)
  return bytes
}
