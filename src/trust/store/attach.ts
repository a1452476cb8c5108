import type { CallOptions, Target } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { type BundleFacts, ProofCargo } from './proof-cargo.ts'

/**
 * Writes one Sigstore bundle beside its subject as an OCI 1.1 referrer, as cosign 3 does; a registry without the
 * referrers API gets the fallback tag. Several at once: `ProofCargo`.
 */
export async function attachBundle(
  target: Target,
  subject: Descriptor,
  bundle: Uint8Array,
  facts: BundleFacts,
  options?: CallOptions,
): Promise<Descriptor> {
  const cargo = new ProofCargo()
  const manifest = await cargo.addBundle(subject, bundle, facts)
  await cargo.writeTo(target, options)
  return manifest
}
