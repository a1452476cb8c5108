import { createPublicKey, type KeyObject, randomUUID, sign } from 'node:crypto'
import { formatPrincipal, type Principal } from '#access/index.ts'
import { type KeyAlgorithm, publicKeyOf } from '#keys/index.ts'

export interface AdminTokenTerms {
  /** The admin's private key; the broker has registered its public half. */
  readonly privateKey: KeyObject
  /** The broker that it is for: its issuer, its `admin.url`, or the address that it listens on. */
  readonly audience: string
  /** Whose key it is, where the token is to say so: it must be whom the broker has registered it for. */
  readonly principal?: Principal
  /** How long it lasts; default 60, at most 3600. */
  readonly seconds?: number
  readonly now?: Date
}

/** JOSE's name and OpenSSL's hash of what a key signs with (RFC 7518 section 3.1, RFC 8037). */
const algorithms: Readonly<Record<KeyAlgorithm, readonly [name: string, hash: string | null]>> = {
  ed25519: ['EdDSA', null],
  'ecdsa-p256': ['ES256', 'sha256'],
  'ecdsa-p384': ['ES384', 'sha384'],
  'ecdsa-p521': ['ES512', 'sha512'],
  rsa: ['RS256', 'sha256'],
}

/**
 * What an admin proves with who asks: a JWT, good for one broker and a short while. Made anew for each request or few.
 *
 * @throws KEY_TYPE_REFUSED
 */
export function adminToken(terms: AdminTokenTerms): string {
  const { privateKey, audience, principal, seconds = 60, now = new Date() } = terms
  const { id, algorithm } = publicKeyOf(createPublicKey(privateKey))
  const [alg, hash] = algorithms[algorithm]
  const iat = Math.floor(now.getTime() / 1000)
  const claims = {
    aud: audience,
    iat,
    exp: iat + seconds,
    jti: randomUUID(),
    ...(principal && { sub: formatPrincipal(principal) }),
  }
  const signed = `${part({ alg, typ: 'JWT', kid: id })}.${part(claims)}`
  const signature = sign(hash, Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
