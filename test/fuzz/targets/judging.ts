import { limits, parseJson } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import {
  formatSimpleSigning,
  judge,
  legacyProof,
  parseTrustedRoot,
  prepareTrust,
  proofOf,
  sealLegacySignature,
  sealMessage,
} from '#trust/index.ts'
import { identity, keyHolder, sigstoreWorld } from '../../support/sigstore-world.ts'
import type { FuzzTarget } from '../targets.ts'

// Judging itself, with proofs that are good: a mutation is refused, or says the same as before.

const world = await sigstoreWorld()
const bytes = Buffer.from('content')
const digest = digestOf(bytes)
const { signatory, pem, key } = keyHolder()
const trust = prepareTrust({
  keys: [{ name: 'ours', pem }],
  roots: [{ name: 'world', root: world.trustedRoot }],
})
const at = new Date()
const byKey = await sealMessage(bytes, { signatory, witnesses: [world.timeStamps()] })
const byCertificate = [await world.statement(digest, 1), await world.message(bytes, 2)]
const legacy = await sealLegacySignature(formatSimpleSigning(digest, 'registry.example/web'), {
  signatory,
  witnesses: [world.rekor()],
})
const parsed = (bundle: Uint8Array) => JSON.parse(Buffer.from(bundle).toString())
const tiles = parsed(byCertificate[1] as Uint8Array)
const { certificate, timestampVerificationData: stamps } = tiles.verificationMaterial
const der = (text: string): Uint8Array => Buffer.from(text, 'base64')

/** Who signed; throws where it is anybody but those who did. */
function judged(proof: ReturnType<typeof proofOf>) {
  const { signer, signedAt } = judge(proof, { digest, bytes }, trust, at)
  const isOurs = signer.kind === 'key' ? signer.keyId === key.id : signer.identity === identity
  if (!isOurs) throw new Error(`signed by somebody else: ${JSON.stringify(signer)}`)
  return [signer.kind, signedAt === undefined]
}

/** The bundle of Rekor 2 with a part exchanged. */
function withPart(part: object) {
  const verificationMaterial = { ...tiles.verificationMaterial, ...part }
  return proofOf('bundle', Buffer.from(JSON.stringify({ ...tiles, verificationMaterial })))
}

export const judgingTargets: readonly FuzzTarget[] = [
  {
    name: 'judged-bundle',
    corpus: [byKey, ...byCertificate],
    words: [
      'null',
      '""',
      '0',
      '"tlogEntries":[',
      '"certificate":{',
      '"publicKey":{}',
      '"logIndex":"',
      '{',
      '}',
    ],
    run: (input) => judged(proofOf('bundle', input)),
  },
  {
    name: 'judged-legacy',
    corpus: [legacy.payload],
    words: ['"docker-manifest-digest":', digest, 'null'],
    run: (input) =>
      judged(legacyProof('legacy-signature', { payload: input, annotations: legacy.annotations })),
  },
  {
    name: 'judged-certificate',
    corpus: [der(certificate.rawBytes)],
    words: [Buffer.from('3080', 'hex'), Buffer.from('a3', 'hex'), Buffer.from('0603551d11', 'hex')].map(
      (word) => word.toString('latin1'),
    ),
    run: (input) => judged(withPart({ certificate: { rawBytes: Buffer.from(input).toString('base64') } })),
  },
  {
    name: 'judged-time-stamp',
    corpus: [der(stamps.rfc3161Timestamps[0].signedTimestamp)],
    run: (input) => {
      const signedTimestamp = Buffer.from(input).toString('base64')
      return judged(withPart({ timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp }] } }))
    },
  },
  {
    name: 'trusted-root',
    corpus: [
      JSON.stringify(world.trustedRoot),
      '{"mediaType":"application/vnd.dev.sigstore.trustedroot.v0.2+json"}',
    ],
    words: ['"tlogs":[', '"validFor":{"start":"', '"keyDetails":"PKCS1_RSA', 'null', '2026-02-30T00:00:00Z'],
    run(input) {
      const root = parseJson(input, { maxBytes: limits.manifestBytes })
      const { logs, authorities, timeStampAuthorities } = parseTrustedRoot({ name: 'fuzzed', root })
      return [logs.length, authorities.length, timeStampAuthorities.length]
    },
  },
]
