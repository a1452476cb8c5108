import type { KeyAlgorithm } from '#keys/index.ts'

/** The hash that goes with each kind of key (sigstore algorithm registry); Ed25519 signs the message itself. */
export const messageHashes: Readonly<
  Record<KeyAlgorithm, { readonly name: string; readonly algorithm: string }>
> = {
  'ecdsa-p256': { name: 'sha256', algorithm: 'SHA2_256' },
  'ecdsa-p384': { name: 'sha384', algorithm: 'SHA2_384' },
  'ecdsa-p521': { name: 'sha512', algorithm: 'SHA2_512' },
  rsa: { name: 'sha256', algorithm: 'SHA2_256' },
  ed25519: { name: 'sha256', algorithm: 'SHA2_256' },
}
