import type { KeyObject } from 'node:crypto'

/** What a key can be here. The hash goes with it: SHA-256 for P-256 and RSA (PKCS #1 v1.5), SHA-384 and SHA-512 for P-384 and P-521; Ed25519 is pure. */
export type KeyAlgorithm = 'ed25519' | 'ecdsa-p256' | 'ecdsa-p384' | 'ecdsa-p521' | 'rsa'

/** A public key, told apart by the hash of its SPKI: parsed once, strictly, minted only in this room. */
export interface PublicKey {
  readonly algorithm: KeyAlgorithm
  /** Lower-case hex of SHA-256 over the SPKI in DER; cosign's hint is base64 of the same 32 bytes. */
  readonly id: string
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array
  readonly key: KeyObject
}

/** What signing gave, and with which key: ECDSA in DER, RSA and Ed25519 as they are. */
export interface Signature {
  readonly bytes: Uint8Array
  readonly key: PublicKey
}

/** Whoever holds a private key: a file, a token, a cloud. `bytes` are the message, not its hash. */
export interface Signer {
  /** @throws SIGNING_FAILED */
  sign(bytes: Uint8Array): Promise<Signature>
}

/**
 * Whoever knows public keys. Resolves only where the signature is good, with the key that made it: a hint beside a
 * signature is not signed, and there is no boolean to forget.
 */
export interface Verifier {
  /** @throws SIGNATURE_INVALID */
  verify(bytes: Uint8Array, signature: Uint8Array): Promise<PublicKey>
}
