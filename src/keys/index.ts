export { keyAlgorithms } from './algorithm.ts'
export * as derWriter from './certificates/der.ts'
export * as derReader from './certificates/der-reader.ts'
export {
  type AlternativeNames,
  type AuthorityTerms,
  type CertificateAuthority,
  type CertificateRequest,
  type CertificateTerms,
  type CertificateUsage,
  createAuthority,
  type DistinguishedName,
  type IssuedCertificate,
  type NameConstraints,
  openAuthority,
  parseCertificateRequest,
  parseCertificates,
  type Randomness,
  type RevocationList,
  type RevocationTerms,
  type RevokedCertificate,
  type Validity,
} from './certificates/index.ts'
export { codes } from './codes.ts'
export { isEd25519ph } from './ed25519ph.ts'
export { isKeyFile, openKeyFile, sealKeyFile } from './key-file.ts'
export { formatPem, type PemBlock, parsePem } from './pem.ts'
export { generateKeyPair, type KeyPair, parsePrivateKey } from './private-key.ts'
export { parsePublicKey, publicKeyHint, publicKeyOf, publicKeyPem } from './public-key.ts'
export { keyVerifier, privateKeySigner } from './signing.ts'
export type * from './types.ts'
