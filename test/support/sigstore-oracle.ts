import { bundleFromJSON } from '@sigstore/bundle'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import type { Json } from '../../src/base/index.ts'

/**
 * What Sigstore's own library for JavaScript says of a bundle by a certificate: undefined where it is good, else why
 * not. The same thresholds as ours: one certificate log, one log, one proved time.
 */
export function sigstoreVerifier(root: Json) {
  const material = toTrustMaterial(TrustedRoot.fromJSON(root))
  const verifier = new Verifier(material, { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 })
  return (bundle: Uint8Array, artifact: Uint8Array): string | undefined => {
    try {
      const parsed = bundleFromJSON(JSON.parse(Buffer.from(bundle).toString()))
      verifier.verify(toSignedEntity(parsed, Buffer.from(artifact)))
      return undefined
    } catch (error) {
      return String(error)
    }
  }
}
