import { createHash } from 'node:crypto'
import { canonicalJson } from '#base/index.ts'
import type { JsonObject } from './members.ts'
import { type ProtocolVersion, protocolOf } from './messages/index.ts'
import type { Tee } from './types.ts'

/** What evidence is bound to. */
export interface RuntimeData {
  readonly nonce: string
  /** The key as it was sent. */
  readonly teePubkey: JsonObject
  /** Evidence of devices as text; from 0.4.0 on the primary evidence is bound to it too. */
  readonly additionalEvidence?: string
}

/**
 * What the primary TEE puts into its report: SHA-384 over canonical JSON (RFC 8785). IBM SE hashes with SHA-512, and
 * before composite evidence took the nonce itself (guest-components, `generate_evidence`).
 */
export function primaryReportData(
  version: ProtocolVersion,
  tee: Tee,
  { nonce, teePubkey, additionalEvidence = '' }: RuntimeData,
): Uint8Array {
  const isComposite = protocolOf(version).attestation === 'composite'
  if (tee === 'se' && !isComposite) return Buffer.from(nonce)
  const devices = isComposite ? { 'additional-evidence': additionalEvidence } : {}
  return digest(tee, { ...devices, nonce, 'tee-pubkey': teePubkey })
}

/** What each device beside it puts into its report; `tee` is the primary one, whose hash is used for all. */
export const deviceReportData = (tee: Tee, { nonce, teePubkey }: RuntimeData): Uint8Array =>
  digest(tee, { nonce, 'tee-pubkey': teePubkey })

const digest = (tee: Tee, value: object): Uint8Array =>
  createHash(tee === 'se' ? 'sha512' : 'sha384')
    .update(canonicalJson(value))
    .digest()

/** How many bytes of report data a report has room for: padded with zeros, or cut. Others take it as it is. */
const room: Partial<Record<Tee, number>> = { snp: 64, tdx: 64, sgx: 64, csv: 64, tpm: 32 }

/** Report data in the form in which a TEE's report holds it. */
export function fitReportData(tee: Tee, reportData: Uint8Array): Uint8Array {
  const bytes = room[tee]
  if (bytes === undefined) return reportData
  const fitted = new Uint8Array(bytes)
  fitted.set(reportData.subarray(0, bytes))
  return fitted
}
