import { constants, createECDH, ECDH, type KeyObject, publicDecrypt, timingSafeEqual } from 'node:crypto'
import { failure } from '../codes.ts'
import { children, expectTag, parseDer, tags } from './der.ts'

interface Curve {
  readonly name: string
  readonly bytes: number
  readonly hash: readonly string[]
  readonly prime: bigint
  readonly order: bigint
}

/** FIPS 186-5 and SP 800-186: the fields' primes and the groups' orders. */
const curves: Readonly<Record<string, Curve>> = {
  prime256v1: {
    name: 'prime256v1',
    bytes: 32,
    hash: ['sha256'],
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  secp384r1: {
    name: 'secp384r1',
    bytes: 48,
    hash: ['sha384', 'sha256'],
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  secp521r1: {
    name: 'secp521r1',
    bytes: 66,
    hash: ['sha512', 'sha256'],
    prime: 2n ** 521n - 1n,
    order:
      0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
}

/**
 * Whether a signature is good over content of which only the digest is known. Node verifies over the bytes alone, so
 * for ECDSA the two point multiplications are done with its ECDH and only their sum is computed here; nothing of
 * this is secret.
 *
 * @throws SUBJECT_BYTES_NEEDED for Ed25519, and where the digest is not of the kind that is signed
 */
export function isDigestSignedBy(
  key: KeyObject,
  hash: string,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (key.asymmetricKeyType === 'rsa' && hash === 'sha256') return rsa(key, digest, signature)
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? '']
  if (curve?.hash.includes(hash)) return ecdsa(curve, key, digest, signature)
  throw failure(
    'SUBJECT_BYTES_NEEDED',
    'such a signature right over content cannot be checked by its digest alone',
  )
}

const digestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex')

/** RFC 8017 section 8.2.2: the padded DigestInfo must come out, byte for byte. */
function rsa(key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    const found = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature)
    const wanted = Buffer.concat([digestInfo, digest])
    return found.length === wanted.length && timingSafeEqual(found, wanted)
  } catch {
    return false
  }
}

/** FIPS 186-5 section 6.4.2. */
function ecdsa(curve: Curve, key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  const { order, prime } = curve
  let r: bigint
  let s: bigint
  try {
    const parts = children(expectTag(parseDer(signature), tags.sequence, 'a signature'))
    if (parts.length !== 2) return false
    ;[r, s] = parts.map((part) => positive(expectTag(part, tags.integer, 'a signature').value)) as [
      bigint,
      bigint,
    ]
  } catch {
    return false
  }
  if (r <= 0n || r >= order || s <= 0n || s >= order) return false
  const shift = BigInt(Math.max(0, digest.length * 8 - order.toString(2).length))
  const e = toNumber(digest) >> shift
  const w = inverse(s, order)
  const u1 = (e * w) % order
  const u2 = (r * w) % order
  // One in 2^256: neither is worth a way of its own.
  if (u1 === 0n || u2 + 1n >= order) return false
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  const q = Buffer.concat([Buffer.of(4), coordinate(x, curve), coordinate(y, curve)])
  const left = pointOf(timesBase(u1, curve))
  const right = multiply(u2, q, curve)
  const sum = right && add(left, right, prime)
  return sum !== undefined && sum.x % order === r
}

interface Point {
  readonly x: bigint
  readonly y: bigint
}

/**
 * `scalar * q`. ECDH tells x alone; of the two points with that x, the right one is where adding `q` once more gives
 * what ECDH tells for `scalar + 1`.
 */
function multiply(scalar: bigint, q: Buffer, curve: Curve): Point | undefined {
  const x = sharedX(scalar, q, curve)
  const next = toNumber(sharedX(scalar + 1n, q, curve))
  const compressed = Buffer.concat([Buffer.of(2), x])
  const one = pointOf(ECDH.convertKey(compressed, curve.name, undefined, undefined, 'uncompressed') as Buffer)
  const other = { x: one.x, y: curve.prime - one.y }
  return [one, other].find((point) => add(point, pointOf(q), curve.prime)?.x === next)
}

function sharedX(scalar: bigint, q: Buffer, curve: Curve): Buffer {
  const ecdh = createECDH(curve.name)
  ecdh.setPrivateKey(toBytes(scalar, curve))
  return ecdh.computeSecret(q)
}

function timesBase(scalar: bigint, curve: Curve): Buffer {
  const ecdh = createECDH(curve.name)
  ecdh.setPrivateKey(toBytes(scalar, curve))
  return ecdh.getPublicKey()
}

/** Undefined for the point at infinity. */
function add(one: Point, other: Point, prime: bigint): Point | undefined {
  let slope: bigint
  if (one.x === other.x) {
    if ((one.y + other.y) % prime === 0n) return undefined
    // All three curves have a = -3.
    slope = (3n * one.x * one.x - 3n) * inverse(2n * one.y, prime)
  } else {
    slope = (other.y - one.y) * inverse(other.x - one.x, prime)
  }
  const x = modulo(slope * slope - one.x - other.x, prime)
  return { x, y: modulo(slope * (one.x - x) - one.y, prime) }
}

/** Extended Euclid; the modulus is prime. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [low, high] = [modulo(value, modulus), modulus]
  let [lowFactor, highFactor] = [1n, 0n]
  while (low > 1n) {
    const quotient = high / low
    ;[low, high] = [high - quotient * low, low]
    ;[lowFactor, highFactor] = [highFactor - quotient * lowFactor, lowFactor]
  }
  return modulo(lowFactor, modulus)
}

const modulo = (value: bigint, modulus: bigint) => ((value % modulus) + modulus) % modulus
const toNumber = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const toBytes = (value: bigint, { bytes }: Curve) =>
  Buffer.from(value.toString(16).padStart(bytes * 2, '0'), 'hex')

function coordinate(text: string, curve: Curve): Buffer {
  return toBytes(toNumber(Buffer.from(text, 'base64url')), curve)
}

function pointOf(uncompressed: Buffer): Point {
  const half = (uncompressed.length - 1) / 2
  return { x: toNumber(uncompressed.subarray(1, 1 + half)), y: toNumber(uncompressed.subarray(1 + half)) }
}

/** A DER integer; negative ones and superfluous zeros are no signature's. */
function positive(value: Uint8Array): bigint {
  if (value.length === 0 || value[0]! >= 0x80 || (value[0] === 0 && (value[1] ?? 0) < 0x80)) return 0n
  return toNumber(value)
}
