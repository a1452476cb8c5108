import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { limits } from '#base/index.ts'
import { algorithmOf, isPlainForm } from './algorithm.ts'
import { failure } from './codes.ts'
import { formatPem, looksLikePem, parsePem } from './pem.ts'
import type { PublicKey } from './types.ts'

/**
 * One public key: PEM as `PUBLIC KEY` (SPKI), `RSA PUBLIC KEY` (PKCS #1) or `CERTIFICATE` (its key; the certificate
 * is not judged), or an SPKI in DER. Nothing may follow it: a second key would be one that nobody looked at.
 *
 * @throws KEY_INVALID, KEY_TYPE_REFUSED
 */
export function parsePublicKey(input: string | Uint8Array, maxBytes: number = limits.keyBytes): PublicKey {
  if (input.length > maxBytes) {
    throw failure('KEY_INVALID', `${input.length} bytes are no public key: the limit is ${maxBytes}`)
  }
  if (typeof input !== 'string' && !looksLikePem(input)) return fromSpki(input)
  const [block, ...more] = parsePem(typeof input === 'string' ? input : Buffer.from(input).toString())
  if (!block) throw failure('KEY_INVALID', 'there is no PEM block in the text')
  if (more.length > 0)
    throw failure('KEY_INVALID', `${more.length + 1} PEM blocks stand where one key belongs`)
  if (block.label === 'PUBLIC KEY') return fromSpki(block.bytes)
  if (block.label === 'RSA PUBLIC KEY') return read(() => keyFrom(block.bytes, 'pkcs1'))
  if (block.label === 'CERTIFICATE') return read(() => new X509Certificate(block.bytes).publicKey)
  throw failure('KEY_INVALID', `${block.label} is not a public key`)
}

function fromSpki(bytes: Uint8Array): PublicKey {
  const key = read(() => keyFrom(bytes, 'spki'))
  // Bytes after the key, or another encoding of it, would give one key two ids.
  if (!Buffer.from(key.spki).equals(bytes)) throw failure('KEY_INVALID', 'the public key is not in DER')
  return key
}

const keyFrom = (bytes: Uint8Array, type: 'spki' | 'pkcs1') =>
  createPublicKey({ key: Buffer.from(bytes), format: 'der', type })

function read(make: () => KeyObject): PublicKey {
  let key: KeyObject
  try {
    key = make()
  } catch (cause) {
    throw failure('KEY_INVALID', 'the bytes are no public key', { cause })
  }
  return publicKeyOf(key)
}

/** The public key of a key that Node holds, private or public. @throws KEY_TYPE_REFUSED */
export function publicKeyOf(key: KeyObject): PublicKey {
  const half = key.type === 'private' ? createPublicKey(key) : key
  if (half.type !== 'public') throw failure('KEY_TYPE_REFUSED', 'a secret that two sides share')
  const algorithm = algorithmOf(half)
  const spki = new Uint8Array(half.export({ type: 'spki', format: 'der' }))
  if (!isPlainForm(algorithm, spki)) {
    throw failure(
      'KEY_TYPE_REFUSED',
      `a key for ${algorithm} whose curve or point is written in another form`,
    )
  }
  const id = createHash('sha256').update(spki).digest('hex')
  return Object.freeze({ algorithm, id, spki, key: half })
}

/** SPKI in PEM, as `cosign.pub` is. */
export const publicKeyPem = (key: PublicKey): string => formatPem('PUBLIC KEY', key.spki)

/** How sigstore bundles call a key: base64 of SHA-256 over its SPKI. */
export const publicKeyHint = (key: PublicKey): string => Buffer.from(key.id, 'hex').toString('base64')
