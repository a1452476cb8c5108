// The broker's PKI: certificates for attested guests, from authorities in its state.
export type { AuthoritySet, Rotation, TrustedAuthority, TrustedIntermediate } from './authorities.ts'
export { codes as pkiCodes } from './codes.ts'
export { openPki, type Pki, type PkiOptions } from './open-pki.ts'
export type { RevocationReason } from './revocations.ts'
