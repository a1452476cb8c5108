import crypto, {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'
import { type LeaseLimits, leaseLimits } from '#base/index.ts'
import { formatPem, publicKeyOf } from '#keys/index.ts'
import { failure } from './codes.ts'
import { curveOf, type NebulaCurve, oneBlock } from './node-key.ts'
import { bytesField, type Field, NotProtobuf, numberField, readFields } from './protobuf.ts'
import { signingKeyBytes } from './signature.ts'

// The private key of an authority in Nebula's own files: Ed25519 as seed and public key, P-256 as a number; in plain,
// or encrypted with AES-256-GCM under a password by argon2id (RawNebulaEncryptedData in cert_v1.proto).
const plain = { CURVE25519: 'NEBULA ED25519 PRIVATE KEY', P256: 'NEBULA ECDSA P256 PRIVATE KEY' } as const
const encrypted = {
  CURVE25519: 'NEBULA ED25519 ENCRYPTED PRIVATE KEY',
  P256: 'NEBULA ECDSA P256 ENCRYPTED PRIVATE KEY',
} as const
const algorithm = 'AES-256-GCM'
const seedPrefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** What deriving a key from a password costs: argon2id's memory in KiB, its passes and lanes. */
export interface ArgonCost {
  readonly kibibytes: number
  readonly passes: number
  readonly lanes: number
}

/**
 * An authority's private key, as nebula-cert writes it. An encrypted one needs the password, and a Node that has
 * argon2 (24.7 and later).
 *
 * @throws NEBULA_KEY_INVALID, NEBULA_KEY_REFUSED
 */
export async function parseNebulaSigningKey(
  text: string,
  password?: Uint8Array,
  limits: LeaseLimits = leaseLimits,
): Promise<{ curve: NebulaCurve; privateKey: KeyObject }> {
  const { label, bytes } = oneBlock(text)
  const curve = curveOf(plain, label)
  if (curve) return { curve, privateKey: keyOf(curve, bytes) }
  const lockedCurve = curveOf(encrypted, label)
  if (!lockedCurve) throw failure('NEBULA_KEY_INVALID', `${label} is no private key of an authority`)
  if (!password) throw failure('NEBULA_KEY_REFUSED', 'the key is encrypted, and no password was given')
  return { curve: lockedCurve, privateKey: keyOf(lockedCurve, await open(bytes, password, limits)) }
}

/** The file that nebula-cert reads; encrypted where a password is given. @throws NEBULA_KEY_INVALID */
export async function nebulaSigningKeyPem(
  privateKey: KeyObject,
  seal?: { readonly password: Uint8Array; readonly cost?: ArgonCost },
  random: (bytes: number) => Uint8Array = randomBytes,
): Promise<string> {
  const { curve, bytes } = bytesOfKey(privateKey)
  if (!seal) return formatPem(plain[curve], bytes)
  const { kibibytes, passes, lanes } = seal.cost ?? { kibibytes: 2 * 1024 * 1024, passes: 1, lanes: 4 }
  const salt = random(32)
  const nonce = random(12)
  const key = await derive(seal.password, salt, { kibibytes, passes, lanes })
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const sealed = Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
  const parameters = Buffer.concat([
    numberField(1, 19n),
    numberField(2, BigInt(kibibytes)),
    numberField(3, BigInt(passes)),
    numberField(4, BigInt(lanes)),
    bytesField(5, salt),
  ])
  const metadata = Buffer.concat([bytesField(1, Buffer.from(algorithm)), bytesField(2, parameters, true)])
  return formatPem(encrypted[curve], Buffer.concat([bytesField(1, metadata, true), bytesField(2, sealed)]))
}

function keyOf(curve: NebulaCurve, bytes: Uint8Array): KeyObject {
  try {
    if (curve === 'CURVE25519' && bytes.length === 64) {
      const pkcs8 = Buffer.concat([seedPrefix, bytes.subarray(0, 32)])
      const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
      // A file whose halves do not belong together would sign with a key that nobody trusts, or tell the seed.
      if (Buffer.from(bytes.subarray(32)).equals(signingKeyBytes(curve, publicKeyOf(key))!)) return key
    }
    if (curve === 'P256' && bytes.length === 32) {
      const ecdh = crypto.createECDH('prime256v1')
      ecdh.setPrivateKey(bytes)
      const point = ecdh.getPublicKey()
      const text = (part: Uint8Array) => Buffer.from(part).toString('base64url')
      const [x, y] = [text(point.subarray(1, 33)), text(point.subarray(33))]
      return createPrivateKey({ key: { kty: 'EC', crv: 'P-256', x, y, d: text(bytes) }, format: 'jwk' })
    }
  } catch {
    // Not told as a cause: nothing of a private key may get into a message.
  }
  throw failure('NEBULA_KEY_INVALID', `the bytes are no private key of ${curve}`)
}

function bytesOfKey(privateKey: KeyObject): { curve: NebulaCurve; bytes: Uint8Array } {
  const { d, x, crv } = privateKey.export({ format: 'jwk' })
  const raw = (part = '') => Buffer.from(part, 'base64url')
  if (crv === 'Ed25519') return { curve: 'CURVE25519', bytes: Buffer.concat([raw(d), raw(x)]) }
  if (crv === 'P-256') return { curve: 'P256', bytes: raw(d) }
  throw failure('NEBULA_KEY_INVALID', 'authorities of Nebula have keys of Ed25519 or P-256')
}

async function open(bytes: Uint8Array, password: Uint8Array, limits: LeaseLimits): Promise<Uint8Array> {
  const { cost, salt, sealed } = readSealed(bytes, limits)
  const key = await derive(password, salt, cost)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
    decipher.setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
  } catch {
    throw failure('NEBULA_KEY_REFUSED', 'the password does not open the key')
  }
}

/** @throws NEBULA_KEY_INVALID, NEBULA_KEY_REFUSED where it asks for more work than the limits allow */
function readSealed(bytes: Uint8Array, { argonKibibytes, argonPasses, argonLanes }: LeaseLimits) {
  try {
    const outer = readFields(bytes, 2)
    const metadata = readFields(bytesAt(outer, 1), 2)
    const name = Buffer.from(bytesAt(metadata, 1)).toString('latin1')
    const parameters = readFields(bytesAt(metadata, 2), 5)
    const [version, kibibytes, passes, lanes] = [1, 2, 3, 4].map((number) => numberAt(parameters, number))
    const salt = bytesAt(parameters, 5)
    const sealed = bytesAt(outer, 2)
    if (name !== algorithm || version !== 19) throw new NotProtobuf('its encryption is not known')
    if (!kibibytes || !passes || !lanes || salt.length < 16 || sealed.length < 28)
      throw new NotProtobuf('it lacks something')
    if (kibibytes > argonKibibytes || passes > argonPasses || lanes > argonLanes) {
      throw failure(
        'NEBULA_KEY_REFUSED',
        `the key asks for argon2id with ${kibibytes} KiB, ${passes} passes and ${lanes} lanes: that is over the limit`,
      )
    }
    return { cost: { kibibytes, passes, lanes }, salt, sealed }
  } catch (error) {
    if (error instanceof NotProtobuf)
      throw failure('NEBULA_KEY_INVALID', `not an encrypted Nebula key: ${error.message}`)
    throw error
  }
}

const only = (fields: readonly Field[], number: number): Field['value'] => {
  const [found, ...more] = fields.filter((field) => field.number === number)
  if (!found || more.length > 0) throw new NotProtobuf(`field ${number} is missing, or there twice`)
  return found.value
}

function bytesAt(fields: readonly Field[], number: number): Uint8Array {
  const value = only(fields, number)
  if (typeof value === 'bigint') throw new NotProtobuf(`field ${number} is a number`)
  return value
}

function numberAt(fields: readonly Field[], number: number): number {
  const value = only(fields, number)
  if (typeof value !== 'bigint' || value > 0xffffffffn) throw new NotProtobuf(`field ${number} is no number`)
  return Number(value)
}

async function derive(password: Uint8Array, nonce: Uint8Array, cost: ArgonCost): Promise<Buffer> {
  // Node has it from 24.7 on; what is imported by name would keep older ones from starting at all.
  if (typeof crypto.argon2 !== 'function')
    throw failure('NEBULA_KEY_REFUSED', 'this Node has no argon2, which the encrypted key needs', {
      hint: 'Use Node 24.7 or later, or decrypt the key elsewhere.',
    })
  const { kibibytes: memory, passes, lanes: parallelism } = cost
  const argon2 = promisify(crypto.argon2)
  try {
    return await argon2('argon2id', { message: password, nonce, parallelism, tagLength: 32, memory, passes })
  } catch (cause) {
    throw failure('NEBULA_KEY_REFUSED', 'the key could not be derived from the password', { cause })
  }
}
