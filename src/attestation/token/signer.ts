import { createHash, createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { toBase64, toBase64Url } from '../base64.ts'
import { failure } from '../codes.ts'

/** Members as Trustee writes them; the private half never. */
export interface SignerJwk {
  readonly alg: 'ES256'
  readonly kid?: string
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  readonly x5u?: string
  readonly x5c?: readonly string[]
}

/** Signs tokens. Whoever holds the key keeps it: replicas share one, and it survives restarts. */
export interface TokenSigner {
  /** RFC 7638 thumbprint of the key, base64url. */
  readonly kid: string
  /** For the JWK set. */
  readonly jwk: SignerJwk
  /** Header, payload and signature in compact form. @throws nothing of the claims' own: they are JSON */
  sign(claims: object): string
}

export interface TokenSignerOptions {
  /** Certificates over the key in DER, the leaf first. */
  readonly chain?: readonly Uint8Array[]
  readonly certificateUrl?: string
  /**
   * Whether the header carries the key itself, as Trustee's tokens do (the default). Trustee's own verifier then
   * wants a chain; without one, it takes a `kid` alone.
   */
  readonly embedKey?: boolean
}

/** @param privateKey ECDSA on P-256. @throws TOKEN_KEY_INVALID */
export function tokenSigner(
  privateKey: KeyObject,
  { chain, certificateUrl, embedKey = true }: TokenSignerOptions = {},
): TokenSigner {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw failure('TOKEN_KEY_INVALID', 'tokens are signed with an ECDSA key on P-256 alone')
  }
  const publicKey = createPublicKey(privateKey)
  const { x, y } = publicKey.export({ format: 'jwk' }) as { x: string; y: string }
  if (chain) checkLeaf(chain, publicKey)
  const bare: SignerJwk = {
    alg: 'ES256',
    kty: 'EC',
    crv: 'P-256',
    x,
    y,
    ...(certificateUrl !== undefined && { x5u: certificateUrl }),
    ...(chain && { x5c: chain.map(toBase64) }),
  }
  const kid = thumbprint(publicKey)
  const header = encode({ typ: 'JWT', alg: 'ES256', kid, ...(embedKey && { jwk: bare }) })
  return {
    kid,
    jwk: { ...bare, kid },
    sign(claims) {
      const input = `${header}.${encode(claims)}`
      const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
      return `${input}.${toBase64Url(sign('sha256', Buffer.from(input), key))}`
    },
  }
}

/** What names a key whatever else is known of it (RFC 7638): SHA-256 over its required members. */
export function thumbprint(key: KeyObject): string {
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' })
  const required = kty === 'EC' ? { crv, kty, x, y } : kty === 'RSA' ? { e, kty, n } : { crv, kty, x }
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url')
}

function checkLeaf([leaf]: readonly Uint8Array[], key: KeyObject): void {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(leaf ?? Buffer.alloc(0))
  } catch {
    throw failure('TOKEN_KEY_INVALID', 'the first certificate of the chain cannot be read')
  }
  if (!certificate.publicKey.equals(key)) {
    throw failure('TOKEN_KEY_INVALID', 'the first certificate of the chain is over another key')
  }
}

const encode = (value: object): string => toBase64Url(Buffer.from(JSON.stringify(value)))
