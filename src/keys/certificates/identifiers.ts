import type { KeyAlgorithm } from '../types.ts'
import { der, oid, sequence, tags } from './der.ts'

/** Attributes of distinguished names (X.520), as RFC 4514 calls them. */
export const attributes = {
  commonName: '2.5.4.3',
  country: '2.5.4.6',
  locality: '2.5.4.7',
  state: '2.5.4.8',
  organization: '2.5.4.10',
  organizationalUnit: '2.5.4.11',
} as const

/** Extensions (RFC 5280 section 4.2). */
export const extensionIds = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  crlReason: '2.5.29.21',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const

/** PKCS #9: the extensions that a certificate request asks for. */
export const extensionRequest = '1.2.840.113549.1.9.14'

/** What a certificate is for (RFC 5280 section 4.2.1.12). */
export const usageIds = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  'code-signing': '1.3.6.1.5.5.7.3.3',
  email: '1.3.6.1.5.5.7.3.4',
  'time-stamping': '1.3.6.1.5.5.7.3.8',
  ocsp: '1.3.6.1.5.5.7.3.9',
} as const

const sha256WithRsa = '1.2.840.113549.1.1.11'
const signatureIds: Readonly<Record<KeyAlgorithm, string>> = {
  ed25519: '1.3.101.112',
  'ecdsa-p256': '1.2.840.10045.4.3.2',
  'ecdsa-p384': '1.2.840.10045.4.3.3',
  'ecdsa-p521': '1.2.840.10045.4.3.4',
  rsa: sha256WithRsa,
}

/** The AlgorithmIdentifier of what a signer of this algorithm makes; RSA has NULL behind it (RFC 4055). */
export const signatureAlgorithm = (algorithm: KeyAlgorithm): Buffer =>
  sequence(oid(signatureIds[algorithm]), ...(algorithm === 'rsa' ? [der(tags.null)] : []))

/** How requests of others may be signed: openssl takes SHA-256 for every curve. By algorithm: identifier to hash. */
const ecdsaHashes = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
}
export const requestHashes: Readonly<Record<KeyAlgorithm, Readonly<Record<string, string | null>>>> = {
  ed25519: { '1.3.101.112': null },
  'ecdsa-p256': ecdsaHashes,
  'ecdsa-p384': ecdsaHashes,
  'ecdsa-p521': ecdsaHashes,
  rsa: {
    [sha256WithRsa]: 'sha256',
    '1.2.840.113549.1.1.12': 'sha384',
    '1.2.840.113549.1.1.13': 'sha512',
  },
}
