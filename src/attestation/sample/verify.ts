import { timingSafeEqual } from 'node:crypto'
import type { Json } from '#base/index.ts'
import { fromBase64, toBase64 } from '../base64.ts'
import { failure } from '../codes.ts'
import { isObject, type JsonObject, member } from '../members.ts'
import type { Collateral, EvidenceClaims, EvidenceVerifier, ExpectedBinding } from '../types.ts'

// The sample TEE is no TEE: anybody can make its evidence anywhere. It shows the whole way without hardware, and its
// claims are those of Trustee's, so that policies say the same of it.

/** It goes into the token. */
const longestSvn = 64

interface SampleEvidence {
  readonly svn: string
  readonly reportData: string
}

/** Of the sample TEE: bound to its report data, and to nothing else. */
export const sampleVerifier: EvidenceVerifier = {
  tee: 'sample',
  async verify(evidence: Json, expected: ExpectedBinding, _collateral: Collateral): Promise<EvidenceClaims> {
    const { svn, reportData } = bound(evidence, expected)
    return {
      class: 'cpu',
      claims: {
        svn,
        report_data: reportData,
        launch_digest: 'abcde',
        platform_version: { major: 1, minor: 4 },
        debug: false,
        // Nothing binds the init-data here; told all the same, as Trustee does, to try policies about it.
        ...(expected.initDataDigest && { init_data: toBase64(expected.initDataDigest) }),
      },
    }
  },
}

/** Of the sample device beside it. */
export const sampleDeviceVerifier: EvidenceVerifier = {
  tee: 'sampledevice',
  async verify(evidence: Json, expected: ExpectedBinding): Promise<EvidenceClaims> {
    const { svn, reportData } = bound(evidence, expected)
    return { class: 'gpu', claims: { svn, report_data: reportData } }
  },
}

/** Evidence as a sample TEE or device makes it. */
export const sampleEvidence = (reportData: Uint8Array, svn = '1'): JsonObject => ({
  report_data: toBase64(reportData),
  svn,
})

function bound(evidence: Json, { reportData: expected }: ExpectedBinding): SampleEvidence {
  if (!isObject(evidence))
    throw failure('EVIDENCE_INVALID', 'the evidence of the sample TEE is not an object')
  const svn = member(evidence, 'svn')
  const reportData = member(evidence, 'report_data') ?? ''
  const bytes = typeof reportData === 'string' ? fromBase64(reportData) : undefined
  if (typeof svn !== 'string' || svn.length > longestSvn || typeof reportData !== 'string' || !bytes) {
    throw failure(
      'EVIDENCE_INVALID',
      'the evidence of the sample TEE is not {"svn": TEXT, "report_data": BASE64}',
    )
  }
  if (bytes.length !== expected.length || !timingSafeEqual(bytes, expected)) {
    throw failure('EVIDENCE_MISBOUND', 'the evidence of the sample TEE is for another nonce, key or devices')
  }
  return { svn, reportData }
}
