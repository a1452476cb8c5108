// Certificates: a small authority (RFC 5280), requests (PKCS #10), revocation lists.
export type { AlternativeNames } from './alternative-names.ts'
export {
  type AuthorityTerms,
  type CertificateAuthority,
  type CertificateTerms,
  createAuthority,
  type IssuedCertificate,
  openAuthority,
  type Randomness,
  type Validity,
} from './authority.ts'
export { type CertificateRequest, parseCertificateRequest } from './certificate-request.ts'
export type { DistinguishedName } from './distinguished-name.ts'
export type { CertificateUsage } from './extensions.ts'
export type { NameConstraints } from './name-constraints.ts'
export { parseCertificates } from './parse-certificates.ts'
export type { RevocationList, RevocationTerms, RevokedCertificate } from './revocation-list.ts'
