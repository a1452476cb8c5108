import { generateKeyPairSync } from 'node:crypto'
import {
  appraise,
  challengeFor,
  compileAttestationPolicy,
  earClaims,
  encryptTo,
  evidenceVerifiers,
  formatAttestationRequest,
  formatAuthRequest,
  formatChallenge,
  formatJwkSet,
  formatTokenResponse,
  generateTeeKey,
  parseAttestationRequest,
  parseAuthRequest,
  parseJwkSet,
  parseTeeKey,
  primaryReportData,
  sampleEvidence,
  type TeeKeyKind,
  type TeeKeyPair,
  teeKeyClaim,
  tokenSigner,
  verifyAttestation,
  verifyToken,
} from '#attestation/index.ts'
import { median } from '../measure.ts'
import type { Setting } from '../setting.ts'

const version = '0.4.0'
const tee = 'sample'
const terms = { issuer: 'bench', build: 'bench', developer: 'bench' }
const secret = Buffer.alloc(32, 7)

/** With reference values for hardware and executables, as policies of real TEEs have them. */
const rego = `package policy

import rego.v1

default hardware := 97

default executables := 33

hardware := 2 if input.sample.svn in query_reference_value("svn")

executables := 3 if input.sample.launch_digest in query_reference_value("launch_digest")

trust_claims := {"hardware": hardware, "executables": executables}
`

/** What a key broker computes for its guests, without a network and without a store. */
export async function attestationGroup({ runs, report }: Setting): Promise<void> {
  report.group(
    'Attestation',
    'What a key broker computes for a guest of protocol 0.4.0 that attests as `sample` and gets one secret: messages, evidence, policy, token, encryption. No network, no store.',
  )
  const pair = await generateTeeKey('P-256')
  report.figure('a whole handshake with one secret', median(await handshakes(pair, runs)), 'ms')
  for (const kind of ['P-256', 'P-521', 'RSA-OAEP-256', 'ML-KEM-768'] as const satisfies TeeKeyKind[]) {
    const { teeKey } = await generateTeeKey(kind)
    const figures = rounds(runs, () => encryptTo(teeKey, secret, version))
    report.figure(`encrypting one secret to a key: ${kind}`, median(figures), 'ms')
  }
}

async function handshakes(pair: TeeKeyPair, runs: number): Promise<number[]> {
  const policy = compileAttestationPolicy([{ path: 'policy.rego', text: rego }])
  const signer = tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const keys = parseJwkSet(formatJwkSet([signer]))
  const verifiers = evidenceVerifiers([tee])
  const expiration = new Date(Date.now() + 86_400_000)
  const references = [
    { name: 'svn', value: ['1'], expiration },
    { name: 'launch_digest', value: ['abcde'], expiration },
  ]
  const auth = formatAuthRequest({ version, tee })

  async function handshake(): Promise<number> {
    const started = performance.now()
    const challenge = challengeFor(parseAuthRequest(auth).tee)
    formatChallenge(challenge)
    const challenged = performance.now()
    const attest = evidenceOf(pair, challenge.nonce)
    const answered = performance.now()
    const at = new Date()
    const request = parseAttestationRequest(attest, version)
    const context = { version, tee, nonce: challenge.nonce } as const
    const verified = await verifyAttestation(request, context, verifiers, new Map(), at)
    const appraisals = appraise(verified, () => ({ id: 'default', policy }), references, at)
    const token = signer.sign(earClaims(appraisals, terms, at))
    formatTokenResponse(token)
    const { claims } = verifyToken(token, { keys }, at)
    encryptTo(parseTeeKey(teeKeyClaim(claims), version), secret, version)
    // The guest's own work is not the broker's.
    return performance.now() - answered + (challenged - started)
  }

  for (let time = 0; time < 300; time++) await handshake()
  const figures: number[] = []
  for (let run = 0; run < runs * 3; run++) {
    let sum = 0
    for (let time = 0; time < 200; time++) sum += await handshake()
    figures.push(sum / 200)
  }
  return figures
}

function evidenceOf({ jwk: teePubkey }: TeeKeyPair, nonce: string): Uint8Array {
  const data = { nonce, teePubkey, additionalEvidence: '' }
  const primaryEvidence = { ...sampleEvidence(primaryReportData(version, tee, data)) }
  return formatAttestationRequest({ ...data, primaryEvidence }, version)
}

function rounds(runs: number, step: () => unknown): number[] {
  for (let time = 0; time < 50; time++) step()
  return Array.from({ length: runs * 3 }, () => {
    const started = performance.now()
    for (let time = 0; time < 100; time++) step()
    return (performance.now() - started) / 100
  })
}
