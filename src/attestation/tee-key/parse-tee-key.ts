import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { fromBase64Url } from '../base64.ts'
import { failure } from '../codes.ts'
import type { JsonObject } from '../members.ts'
import { type ProtocolVersion, protocolOf, type TeeKeyAlgorithm } from '../messages/index.ts'

declare const minted: unique symbol

/** A TEE's public key, checked: what replies are encrypted to. Minted by `parseTeeKey` alone. */
export interface TeeKey {
  readonly [minted]: true
  readonly algorithm: TeeKeyAlgorithm
  /** Of `ECDH-ES+A256KW` alone. */
  readonly curve?: TeeCurve
  readonly key: KeyObject
}

export type TeeCurve = 'P-256' | 'P-521'

export interface TeeKeyOptions {
  /** Takes RSA1_5 from guests of versions that had nothing else. Open to padding oracles where a guest tells of failures. */
  readonly allowRsa15?: boolean
}

/** Bytes of one coordinate. */
const coordinateBytes: Readonly<Record<TeeCurve, number>> = { 'P-256': 32, 'P-521': 66 }
/** FIPS 203 table 3. */
const mlKem768Bytes = 1184
const leastModulusBits = 2048
/** A larger one is work that a guest gives to the broker. */
const mostModulusBits = 8192

/**
 * A TEE's public key from its JWK, for a version of the protocol: known members alone, coordinates of full length, a
 * point on the curve, a modulus of 2048 to 8192 bits.
 *
 * @throws TEE_KEY_INVALID, TEE_KEY_REFUSED, RCAR_VERSION_UNKNOWN
 */
export function parseTeeKey(
  jwk: JsonObject,
  version: ProtocolVersion,
  { allowRsa15 = false }: TeeKeyOptions = {},
): TeeKey {
  const { kty, alg } = jwk
  const algorithm = protocolOf(version).keys.find((known) => known === alg)
  if (!algorithm) throw failure('TEE_KEY_REFUSED', `"alg" of the key is not one of protocol ${version}`)
  if (algorithm === 'RSA1_5' && !allowRsa15) {
    throw failure('TEE_KEY_REFUSED', `RSA1_5, the only algorithm of protocol ${version}, is not switched on`)
  }
  if (kty !== keyTypes[algorithm]) throw invalid(`"kty" does not go with "alg" ${algorithm}`)
  switch (algorithm) {
    case 'ECDH-ES+A256KW':
      return ellipticKey(jwk)
    case 'ML-KEM-768+A192KW':
      return kemKey(jwk)
    default:
      return rsaKey(jwk, algorithm)
  }
}

/**
 * The version of the protocol to answer in where a key is all that is known, as where a guest shows a token and has no
 * session: RSA1_5 is of 0.1.x, which has nothing else, and from 0.2.0 on all replies have one form.
 */
export const versionOfKey = ({ alg }: JsonObject): ProtocolVersion => (alg === 'RSA1_5' ? '0.1.1' : '0.4.0')

const keyTypes: Readonly<Record<TeeKeyAlgorithm, string>> = {
  'ECDH-ES+A256KW': 'EC',
  'RSA-OAEP-256': 'RSA',
  RSA1_5: 'RSA',
  'ML-KEM-768+A192KW': 'AKP',
}

function ellipticKey(jwk: JsonObject): TeeKey {
  onlyMembers(jwk, ['kty', 'crv', 'alg', 'x', 'y'])
  const curve = jwk.crv
  if (curve !== 'P-256' && curve !== 'P-521') throw invalid('"crv" is neither P-256 nor P-521')
  const sizes = coordinateBytes[curve]
  for (const name of ['x', 'y']) {
    if (bytesOf(jwk, name, 2 * sizes).length !== sizes) {
      throw invalid(`"${name}" does not have the ${sizes} bytes of a coordinate of ${curve}`)
    }
  }
  const { x, y } = jwk as Record<string, string>
  const key = imported({ kty: 'EC', crv: curve, x: x!, y: y! }, 'it is not a point on its curve')
  return { algorithm: 'ECDH-ES+A256KW', curve, key } as TeeKey
}

function rsaKey(jwk: JsonObject, algorithm: 'RSA-OAEP-256' | 'RSA1_5'): TeeKey {
  onlyMembers(jwk, ['kty', 'alg', 'n', 'e'])
  const modulus = bytesOf(jwk, 'n', mostModulusBits / 8)
  const exponent = bytesOf(jwk, 'e', 4)
  if (modulus[0] === 0 || exponent[0] === 0) throw invalid('a number of it begins with a zero byte')
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
  if (bits < leastModulusBits) {
    throw invalid(`a modulus of ${bits} bits is too small: ${leastModulusBits} are the least`)
  }
  const e = exponent.readUIntBE(0, exponent.length)
  if (e < 65_537 || e % 2 === 0 || modulus.at(-1)! % 2 === 0) {
    throw invalid('its exponent is even or below 65537, or its modulus is even')
  }
  const { n, e: text } = jwk as Record<string, string>
  return { algorithm, key: imported({ kty: 'RSA', n: n!, e: text! }, 'it is no RSA key') } as TeeKey
}

/** SubjectPublicKeyInfo of ML-KEM-768 up to the key (RFC 9935: id-alg-ml-kem-768, no parameters). */
const mlKem768Prefix = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex')

function kemKey(jwk: JsonObject): TeeKey {
  onlyMembers(jwk, ['kty', 'alg', 'pub'])
  const bytes = bytesOf(jwk, 'pub', mlKem768Bytes)
  if (bytes.length !== mlKem768Bytes) throw invalid(`"pub" does not have ${mlKem768Bytes} bytes`)
  const why = 'its numbers are not reduced (FIPS 203 section 7.2)'
  const key = imported(Buffer.concat([mlKem768Prefix, bytes]), why)
  return { algorithm: 'ML-KEM-768+A192KW', key } as TeeKey
}

function onlyMembers(jwk: JsonObject, names: readonly string[]): void {
  // Not told by name: what does not belong there may be half of a private key, with its value for a name.
  if (Object.keys(jwk).some((name) => !names.includes(name))) {
    throw invalid(`it has other members than ${names.join(', ')}`)
  }
}

function bytesOf(jwk: JsonObject, name: string, mostBytes: number): Buffer {
  const text = jwk[name]
  if (typeof text !== 'string' || text.length > Math.ceil((mostBytes * 4) / 3)) {
    throw invalid(`"${name}" is not text of at most ${mostBytes} bytes`)
  }
  const bytes = fromBase64Url(text)
  if (!bytes || bytes.length === 0) throw invalid(`"${name}" is not base64url without padding`)
  return bytes
}

function imported(key: JsonWebKeyInput['key'] | Buffer, why: string): KeyObject {
  try {
    return Buffer.isBuffer(key)
      ? createPublicKey({ key, format: 'der', type: 'spki' })
      : createPublicKey({ key, format: 'jwk' })
  } catch {
    throw invalid(why)
  }
}

const invalid = (why: string) => failure('TEE_KEY_INVALID', `this is no key of a TEE: ${why}`)
