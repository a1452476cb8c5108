import type { Json } from '#base/index.ts'
import { failure } from './codes.ts'
import { parseInitData } from './init-data/parse-init-data.ts'
import type { AttestationRequest, ProtocolVersion } from './messages/index.ts'
import { deviceReportData, primaryReportData } from './report-data.ts'
import { sampleDeviceVerifier, sampleVerifier } from './sample/verify.ts'
import { parseTeeKey, type TeeKey, type TeeKeyOptions } from './tee-key/index.ts'
import type { Collateral, EvidenceClaims, EvidenceVerifier, Tee } from './types.ts'

/** All verifiers that there are. */
const built: readonly EvidenceVerifier[] = [sampleVerifier, sampleDeviceVerifier]

/** What of them is switched on. Nothing is by itself: the sample TEE proves nothing of its machine. */
export type EvidenceVerifiers = ReadonlyMap<Tee, EvidenceVerifier>

/** @throws TEE_UNKNOWN where no verifier for one of them exists */
export function evidenceVerifiers(tees: Iterable<Tee>): EvidenceVerifiers {
  const verifiers = new Map<Tee, EvidenceVerifier>()
  for (const tee of tees) {
    const verifier = built.find((one) => one.tee === tee)
    if (!verifier) throw failure('TEE_UNKNOWN', `there is no verifier for the evidence of ${tee}`)
    verifiers.set(tee, verifier)
  }
  return verifiers
}

/** The session in which evidence was asked for: what the broker itself remembers, and not what the guest repeats. */
export interface AttestationContext extends TeeKeyOptions {
  readonly version: ProtocolVersion
  readonly tee: Tee
  readonly nonce: string
}

/** What one TEE's evidence said. */
export interface TeeClaims extends EvidenceClaims {
  readonly tee: Tee
}

/** What all of the evidence said, the primary one's first, and the data that it is bound to. */
export interface VerifiedAttestation {
  readonly tees: readonly TeeClaims[]
  /** The key that it is bound to. */
  readonly teeKey: TeeKey
  /** What the init-data says, where there is any: told to policies only where a verifier tells of its digest. */
  readonly initDataClaims?: Json
  /** What the primary report data is the hash of, as policies and tokens see it. */
  readonly runtimeData: { readonly [name: string]: Json }
}

/**
 * Verifies all evidence of an attestation, the primary one's and each device's: bound to the nonce of this session,
 * to the key, and (the primary) to the devices' evidence.
 *
 * @throws EVIDENCE_MISBOUND for the nonce of another session; TEE_UNKNOWN; and the codes of `parseTeeKey`,
 *   `parseInitData` and of the verifiers
 */
export async function verifyAttestation(
  request: AttestationRequest,
  { version, tee, nonce, ...keyOptions }: AttestationContext,
  verifiers: EvidenceVerifiers,
  collateral: Collateral,
  at: Date,
): Promise<VerifiedAttestation> {
  if (request.nonce !== undefined && request.nonce !== nonce) {
    throw failure('EVIDENCE_MISBOUND', 'the attestation is for the nonce of another session')
  }
  const { teePubkey, additionalEvidence, primaryEvidence } = request
  const initData = request.initData && parseInitData(request.initData)
  const teeKey = parseTeeKey(teePubkey, version, keyOptions)
  const data = { nonce, teePubkey, additionalEvidence }
  const parts: [Tee, Json, Uint8Array][] = [[tee, primaryEvidence, primaryReportData(version, tee, data)]]
  for (const [device, evidence] of request.devices) {
    parts.push([device, evidence, deviceReportData(tee, data)])
  }
  const tees: TeeClaims[] = []
  for (const [name, evidence, reportData] of parts) {
    const verifier = verifiers.get(name)
    if (!verifier) throw failure('TEE_UNKNOWN', `evidence of ${name} is not switched on`)
    const expected = { reportData, ...(initData && { initDataDigest: initData.digest }) }
    tees.push({ tee: name, ...(await verifier.verify(evidence, expected, collateral, at)) })
  }
  return {
    tees,
    teeKey,
    ...(initData && { initDataClaims: initData.claims }),
    runtimeData: {
      ...(version === '0.4.0' && { 'additional-evidence': additionalEvidence }),
      nonce,
      'tee-pubkey': { ...teePubkey },
    },
  }
}
