import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type JsonWebKeyInput,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { canonicalJson, type Json } from '#base/index.ts'
import { failure } from './codes.ts'
import { agreementKey, agreementPublicKey, type NebulaCurve, type NodeKey } from './node-key.ts'

/** What keeps these hashes and signatures from meaning anything elsewhere. */
const context = 'sealift-nebula-node-key-v1'

/** The digest of a node's public key, in lower-case hex: where the attested data name it, the hardware says whose it is. */
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
 * What a guest signs with its P-256 node key (ECDSA, SHA-256, DER), or authenticates with its X25519 key
 * (`agreementProof`), to show that it is its own. `session` is what nobody else can have, the key of its TEE in the
 * session: without that, another could use the proof.
 */
export const possessionStatement = (
  publicKey: Uint8Array,
  query: Readonly<Record<string, string>>,
  session: Json,
): Uint8Array =>
  canonicalJson({ context, query, session, publicKey: Buffer.from(publicKey).toString('base64url') })

/**
 * A guest's side of it: `signature` of a request for a certificate over its own key.
 *
 * @param query all the other parameters of the request
 * @param session the public key of its TEE, as the guest sends it
 * @param authority what `GET nebula-ca/possession-key` says; of no use for P-256
 * @returns base64url
 */
export function proveNodeKey(
  { curve, privateKey, publicKey }: NodeKey,
  query: Readonly<Record<string, string>>,
  session: Json,
  authority?: JsonWebKeyInput['key'],
): string {
  const statement = possessionStatement(publicKey, query, session)
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  if (curve === 'P256') {
    const [x, y, d] = [publicKey.subarray(1, 33), publicKey.subarray(33), privateKey].map(text)
    const key = createPrivateKey({ key: { kty: 'EC', crv: 'P-256', x: x!, y: y!, d: d! }, format: 'jwk' })
    return text(sign('sha256', statement, { key, dsaEncoding: 'der' }))
  }
  const other = createPublicKey({ key: authority ?? {}, format: 'jwk' })
  return text(agreementProof(agreementKey(privateKey), other, publicKey, statement))
}

/** @param statement `possessionStatement` @throws NEBULA_POSSESSION_UNPROVED */
export function checkPossession(publicKey: Uint8Array, statement: Uint8Array, signature: Uint8Array): void {
  let isGood = false
  try {
    const x = Buffer.from(publicKey.subarray(1, 33)).toString('base64url')
    const y = Buffer.from(publicKey.subarray(33)).toString('base64url')
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
    isGood = verify('sha256', statement, { key, dsaEncoding: 'der' }, signature)
  } catch {
    // A malformed key or signature proves as little as a wrong one.
  }
  if (!isGood) throw unproved()
}

/**
 * The X25519 key of an authority with which nodes agree to show that they have theirs. Made from the key that it signs
 * with, so that all replicas have the same and nothing more is to be kept.
 */
export function possessionKey(authorityKey: KeyObject): KeyObject {
  const seed = Buffer.from(authorityKey.export({ format: 'jwk' }).d ?? '', 'base64url')
  return agreementKey(Buffer.from(hkdfSync('sha256', seed, '', `${context}\0authority`, 32)))
}

/**
 * What shows that its maker has one of two X25519 keys that agree: HMAC-SHA256 under what they agree on (static
 * Diffie-Hellman, RFC 6955 section 4). A node's key cannot sign.
 *
 * @param own the private key of one side
 * @param node the public key of the node, 32 bytes
 */
function agreementProof(own: KeyObject, other: KeyObject, node: Uint8Array, statement: Uint8Array): Buffer {
  const shared = diffieHellman({ privateKey: own, publicKey: other })
  const key = hkdfSync('sha256', shared, node, `${context}\0agreement`, 32)
  return createHmac('sha256', Buffer.from(key)).update(statement).digest()
}

/** @param keys of the authorities that a node may have taken for the one that issues @throws NEBULA_POSSESSION_UNPROVED */
export function checkAgreement(
  keys: readonly KeyObject[],
  publicKey: Uint8Array,
  statement: Uint8Array,
  proof: Uint8Array,
): void {
  let isGood = false
  try {
    const node = agreementPublicKey(publicKey)
    for (const key of keys) {
      const expected = agreementProof(key, node, publicKey, statement)
      if (proof.length === expected.length && timingSafeEqual(proof, expected)) isGood = true
    }
  } catch {
    // A key with which every agreement has the same result proves nothing.
  }
  if (!isGood) throw unproved()
}

const unproved = () =>
  failure('NEBULA_POSSESSION_UNPROVED', 'the request was not signed with the key that it names')
