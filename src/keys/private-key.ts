import { createPrivateKey, generateKeyPair as generate, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { limits } from '#base/index.ts'
import { algorithmOf, curveOf } from './algorithm.ts'
import { failure } from './codes.ts'
import { parsePem } from './pem.ts'
import { publicKeyOf } from './public-key.ts'
import type { KeyAlgorithm, PublicKey } from './types.ts'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: PublicKey
}

const generated = promisify(generate)

/** A new key. `rsaBits` is 3072 where it is not said. @throws KEY_TYPE_REFUSED for RSA outside of 2048 to 4096 bits */
export async function generateKeyPair(algorithm: KeyAlgorithm, rsaBits = 3072): Promise<KeyPair> {
  const { privateKey } = await make(algorithm, rsaBits)
  return { privateKey, publicKey: publicKeyOf(privateKey) }
}

async function make(algorithm: KeyAlgorithm, rsaBits: number): Promise<{ privateKey: KeyObject }> {
  const namedCurve = curveOf(algorithm)
  if (namedCurve) return await generated('ec', { namedCurve })
  if (algorithm === 'ed25519') return await generated('ed25519')
  if (!Number.isInteger(rsaBits) || rsaBits < 2048 || rsaBits > 4096) {
    throw failure('KEY_TYPE_REFUSED', `an RSA key of ${rsaBits} bits: new ones have 2048 to 4096`)
  }
  return await generated('rsa', { modulusLength: rsaBits })
}

const forms: Readonly<Record<string, 'pkcs8' | 'sec1' | 'pkcs1'>> = {
  'PRIVATE KEY': 'pkcs8',
  'EC PRIVATE KEY': 'sec1',
  'RSA PRIVATE KEY': 'pkcs1',
}

/**
 * One private key in PEM that is not encrypted: PKCS #8, SEC 1 or PKCS #1.
 * @throws KEY_INVALID, KEY_TYPE_REFUSED
 */
export function parsePrivateKey(pem: string, maxBytes: number = limits.keyBytes): KeyObject {
  if (pem.length > maxBytes) {
    throw failure('KEY_INVALID', `${pem.length} bytes are no private key: the limit is ${maxBytes}`)
  }
  // `openssl ecparam -genkey` writes the curve beside the key, which names it as well.
  const [block, ...more] = parsePem(pem).filter(({ label }) => label !== 'EC PARAMETERS')
  if (!block || more.length > 0) throw failure('KEY_INVALID', 'the text does not hold exactly one PEM block')
  if (block.label.startsWith('ENCRYPTED ')) {
    throw failure('KEY_INVALID', `${block.label} is encrypted, and not in the format that is known here`, {
      hint: 'Decrypt it first (`openssl pkey -in FILE`), in a place that only you can read.',
    })
  }
  const type = forms[block.label]
  if (!type) throw failure('KEY_INVALID', `${block.label} is not a private key`)
  return privateKeyFrom(block.bytes, type)
}

/** @throws KEY_INVALID, KEY_TYPE_REFUSED */
export function privateKeyFrom(der: Uint8Array, type: 'pkcs8' | 'sec1' | 'pkcs1'): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: Buffer.from(der), format: 'der', type })
  } catch {
    // Not told as a cause: nothing of a private key may get into a message.
    throw failure('KEY_INVALID', 'the bytes are no private key')
  }
  algorithmOf(key)
  return key
}
