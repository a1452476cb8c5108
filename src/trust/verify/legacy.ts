import { limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { legacyAnnotations } from '../store/legacy-proof.ts'
import type { Proof } from '../types.ts'
import { envelopeOf } from './bundle.ts'
import { certificatesInPem } from './certificate.ts'
import type { Claim, ClaimedSigner } from './claim.ts'
import { base64, malformed } from './der.ts'
import { Fields, jsonIn } from './json-fields.ts'
import type { LogEntry } from './log-entry.ts'

/** Reads what `legacyProof` wrote. @throws PROOF_MALFORMED, PROOF_TOO_LARGE */
export function readLegacy(proof: Proof, maxBytes: number = limits.proofBytes): Claim {
  if (proof.bytes.length > maxBytes)
    throw failure(
      'PROOF_TOO_LARGE',
      `a signature of ${proof.bytes.length} bytes is over the limit of ${maxBytes}`,
    )
  const stored = new Fields(jsonIn(proof.bytes, maxBytes, 'a legacy signature'), 'the legacy signature').only(
    'payload',
    'annotations',
  )
  const payload = stored.base64('payload')
  const annotations = stored.object('annotations')
  const parts = {
    signer: signerOf(annotations),
    entries: entriesOf(annotations),
    timeStamps: timeStampsOf(annotations),
  }
  if (proof.form === 'legacy-signature')
    return {
      content: { kind: 'document', payload },
      signature: annotations.base64(legacyAnnotations.signature),
      ...parts,
    }
  const envelope = envelopeOf(new Fields(jsonIn(payload, maxBytes, 'an envelope'), 'the envelope'))
  return { content: { ...envelope.content, written: payload }, signature: envelope.signature, ...parts }
}

function signerOf(annotations: Fields): ClaimedSigner {
  if (!annotations.has(legacyAnnotations.certificate)) return { kind: 'key' }
  // The chain is passed over: what is trusted comes from the verifier alone.
  const [der, more] = certificatesInPem(annotations.text(legacyAnnotations.certificate))
  if (!der || more) throw malformed('the annotation with the certificate does not hold exactly one')
  return { kind: 'certificate', der }
}

/** Rekor v1's answer as cosign kept it: a promise alone, with its payload as JSON fields. */
function entriesOf(annotations: Fields): LogEntry[] {
  if (!annotations.has(legacyAnnotations.bundle)) return []
  return [
    rekorBundle(
      jsonIn(Buffer.from(annotations.text(legacyAnnotations.bundle)), limits.proofBytes, 'a log bundle'),
    ),
  ]
}

/** `{SignedEntryTimestamp, Payload: {body, integratedTime, logIndex, logID}}`. */
export function rekorBundle(value: ConstructorParameters<typeof Fields>[0]): LogEntry {
  const bundle = new Fields(value, 'the log bundle').only('SignedEntryTimestamp', 'Payload')
  const payload = bundle.object('Payload').only('body', 'integratedTime', 'logIndex', 'logID')
  const logId = payload.text('logID')
  if (!/^[0-9a-f]{64}$/.test(logId)) throw malformed('the log bundle’s log id is not hexadecimal')
  return {
    index: payload.int64('logIndex'),
    logId,
    integratedTime: payload.int64('integratedTime'),
    promise: bundle.base64('SignedEntryTimestamp'),
    body: payload.base64('body'),
  }
}

function timeStampsOf(annotations: Fields): Uint8Array[] {
  if (!annotations.has(legacyAnnotations.timestamp)) return []
  const text = Buffer.from(annotations.text(legacyAnnotations.timestamp))
  const stamp = new Fields(jsonIn(text, limits.proofBytes, 'a time stamp'), 'the time stamp')
  return [base64(stamp.text('SignedRFC3161Timestamp'), 'the time stamp')]
}
