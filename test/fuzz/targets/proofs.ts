import { bytesReader, contentFailure, legacyTag } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import {
  type ClaimedProof,
  claimedProof,
  gatherProofs,
  legacyProof,
  parseSigningConfig,
  proofOf,
} from '#trust/index.ts'
import type { FuzzTarget } from '../targets.ts'

const subject: Descriptor = {
  mediaType: mediaTypes.ociManifest,
  digest: digestOf(Buffer.from('subject')),
  size: 7,
}
const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ digest: { sha256: subject.digest.slice(7) } }],
  predicateType: 'https://sigstore.dev/cosign/sign/v1',
  predicate: {},
}
const envelope = {
  payload: Buffer.from(JSON.stringify(statement)).toString('base64'),
  payloadType: 'application/vnd.in-toto+json',
  signatures: [{ sig: 'c2ln' }],
}
const bundle = {
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  verificationMaterial: { publicKey: { hint: 'aGludA==' } },
  dsseEnvelope: envelope,
}
const payload = { critical: { image: { 'docker-manifest-digest': subject.digest }, identity: {}, type: 'x' } }
const layer = (mediaType: string) => ({
  mediaType,
  digest: digestOf(Buffer.from('{}')),
  size: 2,
  annotations: { 'dev.cosignproject.cosign/signature': 'c2ln' },
})
const manifest = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: layer('application/vnd.oci.image.config.v1+json'),
  layers: [
    layer('application/vnd.dev.cosign.simplesigning.v1+json'),
    layer('application/vnd.dsse.envelope.v1+json'),
  ],
}
const config = {
  mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
  caUrls: [
    { url: 'https://ca', majorApiVersion: 1, validFor: { start: '2020-01-01T00:00:00Z' }, operator: 'o' },
  ],
  rekorTlogUrls: [{ url: 'https://log', majorApiVersion: 2, operator: 'o' }],
  rekorTlogConfig: { selector: 'EXACT', count: 1 },
}
const text = (value: unknown) => JSON.stringify(value)
const words = [
  '"layers":',
  '"digest":',
  '"sha256:',
  '"size":',
  '"annotations":',
  'null',
  '[',
  '{',
  '1e309',
  '-1',
]

/** What is listed as proofs and read without being judged. */
export const proofTargets: readonly FuzzTarget[] = [
  {
    name: 'proof-manifest',
    corpus: [text(manifest), text({ ...manifest, layers: null }), text({ schemaVersion: 2, manifests: [] })],
    words,
    async run(input) {
      const bytes = Uint8Array.from(input)
      const tagged = { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length }
      const source = {
        resolve: async (reference: string) => {
          if (reference === legacyTag(subject.digest, 'sig')) return tagged
          throw contentFailure('CONTENT_NOT_FOUND', 'absent')
        },
        open: async ({ digest }: Descriptor) =>
          bytesReader(digest === tagged.digest ? bytes : Buffer.from('{}')),
        referrers: async function* () {
          yield { ...tagged, artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json' }
        },
      }
      return (await Array.fromAsync(gatherProofs(source, subject))).map(
        ({ form, unreadable }) => unreadable?.code ?? form,
      )
    },
  },
  {
    name: 'claimed-bundle',
    corpus: [text(bundle), text({ ...bundle, dsseEnvelope: { ...envelope, payload: '' } })],
    words: [...words, '"payload":', '"verificationMaterial":'],
    run: (input) => told(claimedProof(proofOf('bundle', input))),
  },
  {
    name: 'claimed-legacy',
    corpus: [text(payload), text(envelope), text(statement)],
    words,
    run: (input) => [
      told(claimedProof(legacyProof('legacy-signature', { payload: input, annotations: signed }))),
      told(claimedProof(legacyProof('legacy-attestation', { payload: input, annotations: signed }))),
    ],
  },
  {
    name: 'signing-config',
    corpus: [text(config), text({ ...config, rekorTlogConfig: { selector: 'ALL' } })],
    words: [...words, '"selector":', '"url":', '"validFor":'],
    run: (input) => text(parseSigningConfig(input, at)),
  },
]

const signed = { 'dev.cosignproject.cosign/signature': 'c2ln' }
const at = new Date('2026-11-21T00:00:00Z')
const told = ({ problem, predicateType, subjects }: ClaimedProof) => [
  problem?.code,
  predicateType,
  subjects.length,
]
