import type { Json } from '#base/index.ts'

/** How guests call what they run in (kbs_protocol, Tee). */
export type Tee =
  | 'az-snp-vtpm'
  | 'az-tdx-vtpm'
  | 'nvidia'
  | 'sgx'
  | 'snp'
  | 'tdx'
  | 'cca'
  | 'csv'
  | 'se'
  | 'hygondcu'
  | 'dpu'
  | 'nvidia-dpu'
  | 'tpm'
  | 'sample'
  | 'sampledevice'

/** What evidence must be bound to. Bytes as the hash gives them; each verifier pads or cuts as its TEE does. */
export interface ExpectedBinding {
  readonly reportData: Uint8Array
  readonly initDataDigest?: Uint8Array
}

/** What a TEE's evidence said, once it was verified: the input of an attestation policy under the TEE's name. */
export interface EvidenceClaims {
  readonly class: 'cpu' | 'gpu' | 'device'
  readonly claims: { readonly [name: string]: Json }
  /** The first moment at which it would be judged otherwise (a certificate's end); absent where there is none. */
  readonly validUntil?: Date
}

/** Certificates, revocation lists and TCB information, brought by an operator: no verifier fetches anything. */
export type Collateral = ReadonlyMap<string, Uint8Array>

/** One TEE's verifier. Pure: the same evidence, collateral and moment give the same claims. */
export interface EvidenceVerifier {
  readonly tee: Tee
  /** @throws EVIDENCE_INVALID, EVIDENCE_MISBOUND, EVIDENCE_UNTRUSTED, EVIDENCE_EXPIRED */
  verify(evidence: Json, expected: ExpectedBinding, collateral: Collateral, at: Date): Promise<EvidenceClaims>
}
