import type { CallOptions } from '#content/index.ts'
import { formatPem } from '#keys/index.ts'
import { failure } from '../codes.ts'
import { type LegacyLayer, legacyAnnotations } from '../store/legacy-proof.ts'
import { askAll, type SealedStatement, type SigningMeans } from './seal.ts'
import type { SignedBy } from './signatory.ts'
import type { LogEntryJson, Testimony } from './witness.ts'

/**
 * Signs a simple-signing payload: the layer of a `.sig` manifest, its annotations as cosign 2 writes them.
 *
 * @throws SIGNING_UNSUPPORTED where the log gives no promise (Rekor v2): the legacy form can hold nothing else
 */
export async function sealLegacySignature(
  payload: Uint8Array,
  means: SigningMeans,
  options?: CallOptions,
): Promise<LegacyLayer> {
  const { signature, by } = await means.signatory.sign(payload, options)
  const testimony = await askAll({ kind: 'message', signature, message: payload, by }, means, options)
  const text = Buffer.from(signature).toString('base64')
  const annotations = annotationsOf(text, by, testimony)
  return { payload, annotations, ...(!by.certificate && { key: by.key.key }) }
}

/** The layer of a `.att` manifest: the same envelope, the same signature as the bundle has. @throws SIGNING_UNSUPPORTED */
export function legacyAttestation(sealed: SealedStatement, predicateType: string): LegacyLayer {
  // The envelope holds the signature; cosign leaves the annotation empty.
  const annotations = { ...annotationsOf('', sealed.by, sealed.testimony), predicateType }
  return { payload: sealed.envelope, annotations }
}

function annotationsOf(
  signature: string,
  { certificate, chain = [] }: SignedBy,
  testimony: readonly Testimony[],
): Record<string, string> {
  return {
    [legacyAnnotations.signature]: signature,
    ...(certificate && { [legacyAnnotations.certificate]: formatPem('CERTIFICATE', certificate) }),
    ...(certificate && chain.length > 0 && { [legacyAnnotations.chain]: chain.join('') }),
    ...legacyTestimony(testimony),
  }
}

/** Log entry and time stamp of a bundle as the annotations of the legacy form. @throws SIGNING_UNSUPPORTED */
function legacyTestimony(testimony: readonly Testimony[]): Record<string, string> {
  const annotations: Record<string, string> = {}
  for (const one of testimony) {
    if (one.kind === 'log') annotations[legacyAnnotations.bundle] = rekorBundle(one.entry)
    else {
      const stamp = Buffer.from(one.response).toString('base64')
      annotations[legacyAnnotations.timestamp] = JSON.stringify({ SignedRFC3161Timestamp: stamp })
    }
  }
  return annotations
}

/** cosign's RekorBundle: promise and payload, no proof of inclusion. */
function rekorBundle(entry: LogEntryJson): string {
  const promise = entry.inclusionPromise?.signedEntryTimestamp
  if (promise === undefined || entry.integratedTime === undefined) {
    throw failure('SIGNING_UNSUPPORTED', 'the log gives no promise, and a legacy signature can hold no proof')
  }
  return JSON.stringify({
    SignedEntryTimestamp: promise,
    Payload: {
      body: entry.canonicalizedBody,
      integratedTime: Number(entry.integratedTime),
      logIndex: Number(entry.logIndex),
      logID: Buffer.from(entry.logId.keyId, 'base64').toString('hex'),
    },
  })
}
