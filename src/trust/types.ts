import type { Json } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'

/** A public key that somebody decided to trust, under the name by which policies and outputs speak of it. */
export interface TrustedKey {
  readonly name: string
  /** SPKI in PEM. */
  readonly pem: string
  /** Signatures made outside of this time do not count. RFC 3339. */
  readonly validFrom?: string
  readonly validUntil?: string
  /** Set where it was revoked: from this moment on, or always. */
  readonly revokedAt?: string
}

/** Everything that signatures are checked against. Plain JSON, so that it can be stored and a decision replayed. */
export interface TrustMaterial {
  readonly keys: readonly TrustedKey[]
  readonly roots: readonly NamedRoot[]
  /** What does not count any more. Parsed strictly: what matches nothing by its form is refused, not ignored. */
  readonly revoked?: readonly Revocation[]
}

/** A Sigstore trusted root, under the name by which facts and policies speak of it. */
export interface NamedRoot {
  readonly name: string
  /** JSON of dev.sigstore.trustroot.v1.TrustedRoot. */
  readonly root: Json
  /**
   * The issuers (exact) of identities that this root may vouch for; all where it is not said. Without it a second
   * root could claim the identities of the first.
   */
  readonly issuers?: readonly string[]
}

/**
 * Lower-case hex throughout; a serial without leading zeros, with the id of the key that signed the certificate. A
 * revoked `proof` is these very bytes: who can still write the same signature down in other ones has to be stopped by
 * key or certificate.
 */
export type Revocation =
  | { readonly keyId: string }
  | { readonly certificate: { readonly issuerKeyId: string; readonly serial: string } }
  | { readonly proof: Digest }

export type SignatureForm = 'bundle' | 'legacy-signature' | 'legacy-attestation' | 'detached'

declare const minted: unique symbol

/**
 * One proof as it was found: raw bytes, not judged. Everything that judging needs is in here. Minted by `proofOf`
 * alone, which copies and hashes the bytes: what was judged is remembered by their digest.
 */
export interface Proof {
  readonly [minted]: true
  readonly form: SignatureForm
  /** Of the bytes below; names the proof in records. */
  readonly digest: Digest
  /** The manifest that carried it, where there was one. */
  readonly carrier?: Digest
  /** Sigstore bundle JSON; for the legacy forms `{payload, annotations}` as canonical JSON. */
  readonly bytes: Uint8Array
  /**
   * Set where it is listed and could not be had: `digest` is the promised one, `bytes` are empty, and judging refuses
   * it with this.
   */
  readonly unreadable?: { readonly code: string; readonly message: string }
}

/** Who signed, as far as it was proved. */
export type SignerFacts =
  | { readonly kind: 'key'; readonly keyId: string; readonly name: string }
  | {
      readonly kind: 'certificate'
      /** Name of the trusted root that vouches for it. */
      readonly root: string
      /** Subject alternative name: address or URI. */
      readonly identity: string
      readonly issuer: string
      /** Fulcio's extensions by name: sourceRepositoryURI, buildSignerURI, ... */
      readonly extensions: Readonly<Record<string, string>>
    }

/** Every check that was made, by name; outputs list them. */
export type Check =
  | 'signature'
  | 'subject'
  | 'key-trusted'
  | 'key-time'
  | 'certificate-chain'
  | 'certificate-time'
  | 'certificate-transparency'
  | 'log-inclusion'
  | 'log-promise'
  | 'log-checkpoint'
  | 'timestamp'
  | 'not-revoked'

/** What one good proof says: all JSON, so that a policy can judge it and a record keep it. Times are RFC 3339 in UTC. */
export interface ProofFacts {
  readonly form: SignatureForm
  /** Of the proof. */
  readonly digest: Digest
  /** What the proof is about: the subject, or something that holds it by its digest. */
  readonly subject: Digest
  readonly signer: SignerFacts
  readonly checks: readonly Check[]
  /** Proved times only (log entry, time stamps); the earliest one. */
  readonly signedAt?: string
  /** The log that holds it, where there is one. */
  readonly log?: { readonly id: string; readonly index: string; readonly at?: string }
  /** The first moment at which this would be judged otherwise (a key's end); absent where there is none. */
  readonly validUntil?: string
  /** `https://sigstore.dev/cosign/sign/v1` for a plain signature. */
  readonly predicateType: string
  /** For attestations. */
  readonly predicate?: Json
  /** Annotations that were signed along. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** A proof that was there and is not good, and why. */
export interface RefusedProof {
  readonly form: SignatureForm
  readonly digest: Digest
  /** One of this room's codes. */
  readonly code: string
  readonly message: string
  /** About what it was judged. */
  readonly subject: Digest
}

/** All that is known about one content. The input of a policy, and what a record keeps. */
export interface SubjectEvidence {
  readonly subject: {
    readonly digest: Digest
    readonly mediaType: string
    /** Under which name it was asked for. */
    readonly reference?: string
  }
  readonly signatures: readonly ProofFacts[]
  readonly attestations: readonly ProofFacts[]
  readonly refused: readonly RefusedProof[]
}
