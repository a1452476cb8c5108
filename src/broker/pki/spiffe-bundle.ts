import type { Json } from '#base/index.ts'
import type { AuthoritySet } from './authorities.ts'

/** Peers look for another bundle so often, in seconds. */
const refreshSeconds = 300

/**
 * The trust domain's bundle (SPIFFE Trust Domain and Bundle, section 4): a JWK set with one key for each root. Of an
 * `x509-svid` key `x5c` has one certificate and `kid` is not said.
 */
export const spiffeBundle = ({ sequence, roots }: AuthoritySet): Json => ({
  keys: roots.map(({ authority: { publicKey, certificate } }) => ({
    ...(publicKey.key.export({ format: 'jwk' }) as Record<string, Json>),
    use: 'x509-svid',
    x5c: [Buffer.from(certificate.der).toString('base64')],
  })),
  spiffe_sequence: sequence,
  spiffe_refresh_hint: refreshSeconds,
})
