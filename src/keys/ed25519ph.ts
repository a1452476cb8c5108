import { createHash } from 'node:crypto'

// Ed25519ph (RFC 8032 section 5.1), which cosign makes with every Ed25519 key and node:crypto does not know. Only
// verification, which holds no secret: big integers, and no care for constant time.

const p = 2n ** 255n - 19n
/** The order of the base point. */
const order = 2n ** 252n + 27742317777372353535851937790883648493n

const mod = (value: bigint, modulus = p): bigint => {
  const rest = value % modulus
  return rest < 0n ? rest + modulus : rest
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square)
    square = mod(square * square)
  }
  return result
}

const d = mod(-121665n * power(121666n, p - 2n))
const rootOfMinusOne = power(2n, (p - 1n) / 4n)

/** Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z. */
interface Point {
  readonly X: bigint
  readonly Y: bigint
  readonly Z: bigint
  readonly T: bigint
}

const zero: Point = { X: 0n, Y: 1n, Z: 1n, T: 0n }

/** RFC 8032 section 5.1.4; complete, so it doubles as well. */
function add(one: Point, other: Point): Point {
  const a = mod((one.Y - one.X) * (other.Y - other.X))
  const b = mod((one.Y + one.X) * (other.Y + other.X))
  const c = mod(2n * one.T * other.T * d)
  const e = mod(2n * one.Z * other.Z)
  const [f, g, h, i] = [b - a, e - c, e + c, b + a]
  return { X: mod(f * g), Y: mod(h * i), Z: mod(g * h), T: mod(f * i) }
}

/** RFC 8032 section 5.1.3; undefined where the bytes are no point in its one encoding. */
function decode(bytes: Uint8Array): Point | undefined {
  const value = littleEndian(bytes)
  const sign = value >> 255n
  const y = value & (2n ** 255n - 1n)
  if (y >= p) return undefined
  const u = mod(y * y - 1n)
  const v = mod(d * y * y + 1n)
  let x = mod(u * power(v, 3n) * power(mod(u * power(v, 7n)), (p - 5n) / 8n))
  const square = mod(v * x * x)
  if (square === mod(-u)) x = mod(x * rootOfMinusOne)
  else if (square !== u) return undefined
  if (x === 0n && sign === 1n) return undefined
  if ((x & 1n) !== sign) x = p - x
  return { X: x, Y: y, Z: 1n, T: mod(x * y) }
}

const littleEndian = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)

const base = decode(Buffer.from(`58${'66'.repeat(31)}`, 'hex')) as Point

/** a·A + b·B in one run over the bits of both. */
function combine(a: bigint, A: Point, b: bigint, B: Point): Point {
  const both = add(A, B)
  let result = zero
  for (let bit = 252n; bit >= 0n; bit--) {
    result = add(result, result)
    const [one, other] = [(a >> bit) & 1n, (b >> bit) & 1n]
    if (one && other) result = add(result, both)
    else if (one) result = add(result, A)
    else if (other) result = add(result, B)
  }
  return result
}

/** dom2(1, ""): the prefix that sets the pre-hashed form apart from the pure one. */
const domain = Buffer.concat([Buffer.from('SigEd25519 no Ed25519 collisions'), Buffer.from([1, 0])])

/**
 * Whether an Ed25519ph signature (empty context) over these bytes is good.
 *
 * @param publicKey the 32 bytes of the point
 */
export function isEd25519ph(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  const R = signature.subarray(0, 32)
  const s = littleEndian(signature.subarray(32))
  const [A, r] = [decode(publicKey), decode(R)]
  if (s >= order || !A || !r) return false
  const message = createHash('sha512').update(bytes).digest()
  const hash = createHash('sha512').update(domain).update(R).update(publicKey).update(message).digest()
  const k = mod(littleEndian(hash), order)
  const negative = { X: mod(-A.X), Y: A.Y, Z: A.Z, T: mod(-A.T) }
  const sum = combine(k, negative, s, base)
  return mod(sum.X - r.X * sum.Z) === 0n && mod(sum.Y - r.Y * sum.Z) === 0n
}
