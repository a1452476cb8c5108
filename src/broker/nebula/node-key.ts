import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { formatPem, type PemBlock, parsePem } from '#keys/index.ts'
import { failure } from './codes.ts'

/** As Nebula names them: X25519 for nodes with Ed25519 for authorities, or P-256 for both. */
export type NebulaCurve = 'CURVE25519' | 'P256'

/** A node's key for key agreement. */
export interface NodeKey {
  readonly curve: NebulaCurve
  /** 32 bytes. */
  readonly privateKey: Uint8Array
  /** 32 bytes, or an uncompressed point in 65. */
  readonly publicKey: Uint8Array
}

const publicLabels = { CURVE25519: 'NEBULA X25519 PUBLIC KEY', P256: 'NEBULA P256 PUBLIC KEY' } as const
const privateLabels = { CURVE25519: 'NEBULA X25519 PRIVATE KEY', P256: 'NEBULA P256 PRIVATE KEY' } as const
const x25519 = {
  pkcs8: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  spki: Buffer.from('302a300506032b656e032100', 'hex'),
} as const

/** A new key for a node. */
export function makeNodeKey(
  curve: NebulaCurve,
  random: (bytes: number) => Uint8Array = randomBytes,
): NodeKey {
  // Of 2^256 numbers fewer than 2^-32 are none of P-256; nobody meets two of them.
  for (let i = 0; i < 8; i++) {
    const privateKey = random(32)
    const publicKey = publicPart(curve, privateKey)
    if (publicKey) return { curve, privateKey, publicKey }
  }
  throw failure('NEBULA_KEY_INVALID', 'the source of random bytes gives none that are a key')
}

function publicPart(curve: NebulaCurve, privateKey: Uint8Array): Uint8Array | undefined {
  if (curve === 'CURVE25519') {
    const spki = createPublicKey(agreementKey(privateKey)).export({ format: 'der', type: 'spki' })
    return spki.subarray(x25519.spki.length)
  }
  const ecdh = createECDH('prime256v1')
  try {
    ecdh.setPrivateKey(privateKey)
  } catch {
    return undefined
  }
  return ecdh.getPublicKey()
}

/** An X25519 private key from its 32 bytes, for key agreement. */
export const agreementKey = (raw: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([x25519.pkcs8, raw]), format: 'der', type: 'pkcs8' })

/** An X25519 public key from its 32 bytes. */
export const agreementPublicKey = (raw: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([x25519.spki, raw]), format: 'der', type: 'spki' })

/**
 * Checks a node's public key that came from outside: its length, that it is a point of the curve, and (X25519) that it
 * is none of the few with which every agreement has the same result.
 *
 * @throws NEBULA_KEY_INVALID
 */
export function checkNodePublicKey(curve: NebulaCurve, publicKey: Uint8Array): void {
  try {
    if (curve === 'P256') {
      if (publicKey.length !== 65 || publicKey[0] !== 4) throw new Error('not an uncompressed point')
      // Any number will do as the other side: what counts is that the point is taken.
      const ecdh = createECDH('prime256v1')
      ecdh.setPrivateKey(Buffer.from('01'.padStart(64, '0'), 'hex'))
      ecdh.computeSecret(publicKey)
    } else {
      if (publicKey.length !== 32) throw new Error('not 32 bytes')
      diffieHellman({
        privateKey: agreementKey(Buffer.alloc(32, 1)),
        publicKey: agreementPublicKey(publicKey),
      })
    }
  } catch (cause) {
    throw failure('NEBULA_KEY_INVALID', `the public key is none of ${curve}`, { cause })
  }
}

export const nodePrivateKeyPem = ({ curve, privateKey }: NodeKey): string =>
  formatPem(privateLabels[curve], privateKey)

export const nodePublicKeyPem = (curve: NebulaCurve, publicKey: Uint8Array): string =>
  formatPem(publicLabels[curve], publicKey)

/** What `nebula-cert keygen -out-pub` writes. @throws NEBULA_KEY_INVALID */
export function parseNodePublicKey(text: string): { curve: NebulaCurve; publicKey: Uint8Array } {
  const { label, bytes } = oneBlock(text)
  const curve = curveOf(publicLabels, label)
  if (!curve) throw failure('NEBULA_KEY_INVALID', `${label} is no public key of a node`)
  checkNodePublicKey(curve, bytes)
  return { curve, publicKey: bytes }
}

/** The curve whose label it is. */
export const curveOf = (
  labels: Readonly<Record<NebulaCurve, string>>,
  label: string,
): NebulaCurve | undefined => (['CURVE25519', 'P256'] as const).find((curve) => labels[curve] === label)

/** The one block of a text. @throws NEBULA_KEY_INVALID */
export function oneBlock(text: string): PemBlock {
  let blocks: PemBlock[] = []
  try {
    if (text.length <= 8192) blocks = parsePem(text)
  } catch {
    // Not told as a cause: nothing of a private key may get into a message.
  }
  const [block, ...more] = blocks
  if (!block || more.length > 0)
    throw failure('NEBULA_KEY_INVALID', 'the text does not hold exactly one key in PEM')
  return block
}
