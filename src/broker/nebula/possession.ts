import { createHash, createPublicKey, timingSafeEqual, verify } from 'node:crypto'
import { canonicalJson, type Json } from '#base/index.ts'
import { failure } from './codes.ts'
import type { NebulaCurve } from './node-key.ts'

/** What keeps these hashes and signatures from meaning anything elsewhere. */
const context = 'sealift-nebula-node-key-v1'

/**
 * The digest of a node's public key, in lower-case hex, that a guest puts into the data its TEE reports: an X25519 key
 * cannot sign, so the hardware says whose it is.
 */
export const nodeKeyDigest = (curve: NebulaCurve, publicKey: Uint8Array): string =>
  createHash('sha256').update(`${context}\0${curve}\0`).update(publicKey).digest('hex')

/** @param attested the digest in the attested claims, where there is one @throws NEBULA_POSSESSION_UNPROVED */
export function checkNodeKeyAttested(
  curve: NebulaCurve,
  publicKey: Uint8Array,
  attested: string | undefined,
): void {
  const expected = Buffer.from(nodeKeyDigest(curve, publicKey))
  const found = Buffer.from(attested ?? '')
  if (found.length !== expected.length || !timingSafeEqual(found, expected))
    throw failure('NEBULA_POSSESSION_UNPROVED', 'the attested data do not name this public key')
}

/**
 * What a guest signs with its P-256 node key (ECDSA, SHA-256, DER) to show that it is its own. `session` is what nobody
 * else can have, the key of its TEE in the session: without that, another could use the signature.
 */
export const possessionStatement = (
  publicKey: Uint8Array,
  query: Readonly<Record<string, string>>,
  session: Json,
): Uint8Array =>
  canonicalJson({ context, query, session, publicKey: Buffer.from(publicKey).toString('base64url') })

/** @param query the parameters of the request, without the signature @throws NEBULA_POSSESSION_UNPROVED */
export function checkPossession(
  publicKey: Uint8Array,
  query: Readonly<Record<string, string>>,
  session: Json,
  signature: Uint8Array,
): void {
  let isGood = false
  try {
    const x = Buffer.from(publicKey.subarray(1, 33)).toString('base64url')
    const y = Buffer.from(publicKey.subarray(33)).toString('base64url')
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
    const statement = possessionStatement(publicKey, query, session)
    isGood = verify('sha256', statement, { key, dsaEncoding: 'der' }, signature)
  } catch {
    // A malformed key or signature proves as little as a wrong one.
  }
  if (!isGood)
    throw failure('NEBULA_POSSESSION_UNPROVED', 'the request was not signed with the key that it names')
}
