import type { SignatureForm } from '../types.ts'

/** What cosign 3 writes: artifact type of the referrer and media type of its one layer. */
export const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
/** cosign's first form: a layer under the tag `sha256-HEX.sig`. */
export const simpleSigningMediaType = 'application/vnd.dev.cosign.simplesigning.v1+json'
/** Its attestations: a layer under the tag `sha256-HEX.att`. */
export const dsseMediaType = 'application/vnd.dsse.envelope.v1+json'

/** `...bundle.v0.1+json` to `...bundle.v0.3+json`, and `...bundle+json;version=0.1` of older writers. */
const bundlePrefix = 'application/vnd.dev.sigstore.bundle'

/** What the layer of a manifest holds by its media type; undefined where it is no proof. */
export function formOfLayer(mediaType: string): SignatureForm | undefined {
  if (mediaType.startsWith(bundlePrefix)) return 'bundle'
  if (mediaType === simpleSigningMediaType) return 'legacy-signature'
  return mediaType === dsseMediaType ? 'legacy-attestation' : undefined
}

/** What cosign's experimental referrers (`COSIGN_EXPERIMENTAL`, OCI 1.1) call themselves. */
const otherCarriers: ReadonlySet<string> = new Set([
  'application/vnd.dev.cosign.artifact.sig.v1+json',
  'application/vnd.dev.cosign.artifact.att.v1+json',
  'application/vnd.in-toto+json',
  simpleSigningMediaType,
  dsseMediaType,
])

/**
 * Whether a referrer of this artifact type carries proofs: `perhaps` where only its layers can tell. Writers that
 * knew no artifact types list the config's media type in its place, which for a bundle is that of `{}`.
 */
export function carriesProofs(artifactType: string | undefined): 'yes' | 'perhaps' | 'no' {
  if (artifactType === undefined || artifactType === '') return 'perhaps'
  if (artifactType === 'application/vnd.oci.empty.v1+json') return 'perhaps'
  return artifactType.startsWith(bundlePrefix) || otherCarriers.has(artifactType) ? 'yes' : 'no'
}
