import type { KeyObject } from 'node:crypto'
import { canonicalJson } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import { proofOf } from '../proof.ts'
import type { Proof } from '../types.ts'

/** The annotations of cosign's layers (cosign, pkg/oci/static/signature.go); all others are nobody's business. */
export const legacyAnnotations = {
  /** Base64 of the signature over the payload; empty for attestations, whose envelope holds it. */
  signature: 'dev.cosignproject.cosign/signature',
  /** PEM of the signing certificate, and of those above it. */
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  /** `{SignedEntryTimestamp, Payload}`: what the log promised. */
  bundle: 'dev.sigstore.cosign/bundle',
  /** `{SignedRFC3161Timestamp}` in base64. */
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
  predicateType: 'predicateType',
} as const

const known: ReadonlySet<string> = new Set(Object.values(legacyAnnotations))

/** One layer of a `.sig` or `.att` manifest: simple-signing payload or DSSE envelope, and what stands beside it. */
export interface LegacyLayer {
  readonly payload: Uint8Array
  readonly annotations: Readonly<Record<string, string>>
  /** Set by who signs, where a key alone stands for the signature: it signs the same payload only once. */
  readonly key?: KeyObject
}

/**
 * The proof that such a layer is: `{annotations, payload}` as canonical JSON, the payload in base64, of the
 * annotations only those that mean something. Two layers with one payload and two signatures are two proofs.
 */
export function legacyProof(
  form: 'legacy-signature' | 'legacy-attestation',
  layer: LegacyLayer,
  carrier?: Digest,
): Proof {
  const annotations = Object.fromEntries(Object.entries(layer.annotations).filter(([key]) => known.has(key)))
  const bytes = canonicalJson({ annotations, payload: Buffer.from(layer.payload).toString('base64') })
  return proofOf(form, bytes, carrier)
}
