import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, limits } from '#base/index.ts'
import { bytesReader, legacyTag, MemoryStore } from '#content/index.ts'
import { type Descriptor, type Digest, digestOf, mediaTypes } from '#oci/index.ts'
import type { Proof } from '../types.ts'
import { gatherProofs } from './gather-proofs.ts'
import { legacyAnnotations } from './legacy-proof.ts'
import { ProofCargo } from './proof-cargo.ts'
import { bundleMediaType, simpleSigningMediaType } from './proof-media-types.ts'

const created = new Date('2026-11-21T06:00:00Z')
const predicateType = 'https://sigstore.dev/cosign/sign/v1'
const layer = (payload: string, signature: string) => ({
  payload: Buffer.from(payload),
  annotations: { [legacyAnnotations.signature]: signature },
})

async function put(store: MemoryStore, text: string, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(text)
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(descriptor, async () => bytesReader(bytes))
  return descriptor
}

/** A store with one image of nothing in it. */
async function repository(): Promise<{ store: MemoryStore; subject: Descriptor }> {
  const store = new MemoryStore()
  const config = await put(store, '{}', mediaTypes.empty)
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }
  return { store, subject: await put(store, JSON.stringify(manifest), mediaTypes.ociManifest) }
}

/** A legacy proof's layer, as it went in. */
const layerIn = ({ bytes }: Proof) => {
  const { payload, annotations } = JSON.parse(Buffer.from(bytes).toString())
  return { payload: Buffer.from(payload, 'base64'), annotations }
}

const all = (store: MemoryStore, subject: Descriptor, bounds = {}): Promise<Proof[]> =>
  Array.fromAsync(gatherProofs(store, subject, { limits: { ...limits, ...bounds } }))

test('bundles, legacy signatures and attestations are found, each once', async () => {
  const { store, subject } = await repository()
  const cargo = new ProofCargo()
  await cargo.addBundle(subject, Buffer.from('{"bundle":1}'), { predicateType, created })
  // The same bundle attached a second later hangs on another manifest, and is one proof all the same.
  const later = new Date(created.getTime() + 1000)
  await cargo.addBundle(subject, Buffer.from('{"bundle":1}'), { predicateType, created: later })
  await cargo.addLegacySignature(subject, layer('payload', 'c2ln'), store)
  await cargo.addLegacySignature(subject, layer('payload', 'b3RoZXI='), store)
  const slsa = 'https://slsa.dev/provenance/v1'
  const envelope = layer('{"envelope":1}', '')
  const attested = { ...envelope, annotations: { ...envelope.annotations, predicateType: slsa } }
  await cargo.addLegacyAttestation(subject, attested, store)
  await cargo.writeTo(store)

  const proofs = await all(store, subject)
  assert.deepEqual(
    proofs.map(({ form }) => form),
    ['bundle', 'legacy-signature', 'legacy-signature', 'legacy-attestation'],
  )
  const [bundle, first, second, attestation] = proofs as [Proof, Proof, Proof, Proof]
  assert.equal(Buffer.from(bundle.bytes).toString(), '{"bundle":1}')
  assert.equal(bundle.digest, digestOf(bundle.bytes))
  assert.notEqual(first.digest, second.digest, 'one payload with two signatures')
  assert.deepEqual(layerIn(first), layer('payload', 'c2ln'))
  assert.equal(layerIn(attestation).payload.toString(), '{"envelope":1}')
  assert.equal(layerIn(attestation).annotations.predicateType, slsa)
  for (const { carrier } of proofs) assert.ok(carrier && store.held(carrier))
})

test('a content without proofs has none, and other referrers are none', async () => {
  const { store, subject } = await repository()
  const sbom = { ...(await put(store, '{}', mediaTypes.empty)) }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: 'application/vnd.cyclonedx+json',
    config: sbom,
    layers: [{ ...sbom, mediaType: bundleMediaType }],
    subject,
  }
  await put(store, JSON.stringify(manifest), mediaTypes.ociManifest)
  assert.deepEqual(await all(store, subject), [])
})

test('a bundle is found under older spellings, and where no artifact type was told', async () => {
  const { store, subject } = await repository()
  const config = await put(store, '{}', mediaTypes.empty)
  for (const [at, artifactType] of [
    'application/vnd.dev.sigstore.bundle+json;version=0.1',
    'application/vnd.dev.sigstore.bundle+json;version=0.2',
    undefined,
  ].entries()) {
    const held = await put(store, `{"at":${at}}`, artifactType ?? bundleMediaType)
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType,
      config,
      layers: [held],
      subject,
    }
    await put(store, JSON.stringify(manifest), mediaTypes.ociManifest)
  }
  const proofs = await all(store, subject)
  assert.deepEqual(proofs.map(({ bytes }) => Buffer.from(bytes).toString()).sort(), [
    '{"at":0}',
    '{"at":1}',
    '{"at":2}',
  ])
})

test('what is listed and is not there, or damaged, is told of and hides nothing else', async () => {
  const { store, subject } = await repository()
  const cargo = new ProofCargo()
  const gone = await cargo.addBundle(subject, Buffer.from('{"gone":1}'), { predicateType, created })
  await cargo.addBundle(subject, Buffer.from('{"good":1}'), { predicateType, created })
  await cargo.addLegacySignature(subject, layer('gone too', 'c2ln'), store)
  await cargo.addLegacyAttestation(subject, layer('{}', ''), store)
  await cargo.writeTo(store)
  await store.delete(digestOf(Buffer.from('{"gone":1}')))
  await store.delete(digestOf(Buffer.from('gone too')))
  // The tag names a blob of another kind.
  const attestations = await store.resolve(legacyTag(subject.digest, 'att'))
  ;(store.held(attestations.digest) as { bytes: Uint8Array }).bytes = Buffer.from('{"schemaVersion":1}')

  const proofs = await all(store, subject)
  assert.deepEqual(
    proofs.map(({ form, unreadable }) => [form, unreadable?.code]),
    [
      ['bundle', 'PROOF_UNREADABLE'],
      ['bundle', undefined],
      ['legacy-signature', 'PROOF_UNREADABLE'],
      ['legacy-attestation', 'PROOF_UNREADABLE'],
    ],
  )
  assert.equal(proofs[0]?.carrier, gone.digest)
  assert.equal(proofs[0]?.bytes.length, 0)
})

test('a carrier that tells lies about a proof does not hide the proof', async () => {
  const { store, subject } = await repository()
  const config = await put(store, '{}', mediaTypes.empty)
  const layer = { mediaType: bundleMediaType, digest: digestOf(Buffer.from('{"good":1}')), size: 9 }
  const common = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType: bundleMediaType }
  await put(store, JSON.stringify({ ...common, config, layers: [layer], subject }), mediaTypes.ociManifest)
  const cargo = new ProofCargo()
  await cargo.addBundle(subject, Buffer.from('{"good":1}'), { predicateType, created })
  await cargo.writeTo(store)
  const proofs = await all(store, subject)
  assert.deepEqual(
    proofs.map(({ unreadable }) => unreadable?.code),
    ['PROOF_UNREADABLE', undefined],
  )
})

test('a repository that cannot be asked is an error, not an absence', async () => {
  const { store, subject } = await repository()
  const fault = new Error('connection reset')
  const broken = Object.assign(Object.create(store), {
    referrers() {
      throw fault
    },
  })
  await assert.rejects(Array.fromAsync(gatherProofs(broken, subject)), fault)
})

test('the limits hold, at each of them and one beyond', async () => {
  const { store, subject } = await repository()
  const cargo = new ProofCargo()
  for (let at = 0; at < 3; at++)
    await cargo.addBundle(subject, Buffer.from(`{"at":${at}}`), { predicateType, created })
  for (let at = 0; at < 4; at++)
    await cargo.addLegacySignature(subject, layer(`payload ${at}`, 'c2ln'), store)
  await cargo.writeTo(store)
  const refused = (proofs: Proof[]) => proofs.flatMap(({ unreadable }) => unreadable?.code ?? [])

  assert.equal((await all(store, subject, { proofs: 7 })).length, 7)
  await assert.rejects(all(store, subject, { proofs: 6 }), (error) => isFailure(error, 'PROOF_TOO_MANY'))
  await assert.rejects(all(store, subject, { proofs: 2 }), (error) => isFailure(error, 'PROOF_TOO_MANY'))
  assert.deepEqual(refused(await all(store, subject, { proofBytes: 9 })), [])
  assert.deepEqual(refused(await all(store, subject, { proofBytes: 8 })), Array(4).fill('PROOF_TOO_LARGE'))
  const sum = 3 * 8 + 4 * 9
  assert.equal((await all(store, subject, { proofBytesInAll: sum })).length, 7)
  await assert.rejects(all(store, subject, { proofBytesInAll: sum - 1 }), (error) =>
    isFailure(error, 'PROOF_TOO_LARGE'),
  )
})

test('a hostile manifest of 100,000 layers takes nothing but itself away', async () => {
  const { store, subject } = await repository()
  const cargo = new ProofCargo()
  await cargo.addBundle(subject, Buffer.from('{"good":1}'), { predicateType, created })
  await cargo.writeTo(store)
  const config = await put(store, '{}', mediaTypes.empty)
  const wide = (count: number) => {
    const one = `{"mediaType":"${simpleSigningMediaType}","digest":"${config.digest}","size":2}`
    return `{"schemaVersion":2,"config":${JSON.stringify(config)},"layers":[${Array(count).fill(one).join(',')}]}`
  }
  const lax = { ...limits, manifestBytes: 64 * 1024 * 1024 }
  for (const [count, code] of [
    [1001, 'PROOF_TOO_MANY'],
    [100_001, 'PROOF_UNREADABLE'],
  ] as const) {
    const bytes = Buffer.from(wide(count))
    const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length }
    const source = {
      resolve: async (reference: string) =>
        reference.endsWith('.sig') ? descriptor : store.resolve(reference),
      open: async (content: Descriptor) =>
        content.digest === descriptor.digest ? bytesReader(bytes) : store.open(content),
      referrers: (digest: Digest) => store.referrers(digest),
    }
    const proofs = await Array.fromAsync(gatherProofs(source, subject, { limits: lax }))
    assert.deepEqual(
      proofs.map(({ form, unreadable }) => [form, unreadable?.code]),
      [
        ['bundle', undefined],
        ['legacy-signature', code],
      ],
    )
  }
})

test('huge annotations that mean nothing are not kept, and layers of wrong sizes are told of', async () => {
  const { store, subject } = await repository()
  const config = await put(store, '{}', mediaTypes.empty)
  const held = await put(store, 'payload', simpleSigningMediaType)
  const annotations = { [legacyAnnotations.signature]: 'c2ln', noise: 'x'.repeat(4 * 1024 * 1024) }
  const layers = [
    { ...held, annotations },
    { ...held, size: 6 },
    { ...held, size: 2 ** 50 },
  ]
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
  await store.tag(
    await put(store, JSON.stringify(manifest), mediaTypes.ociManifest),
    legacyTag(subject.digest, 'sig'),
  )
  const proofs = await all(store, subject)
  assert.deepEqual(
    proofs.map(({ unreadable, bytes }) => unreadable?.code ?? bytes.length < 200),
    [true, 'PROOF_UNREADABLE'],
  )
  const small = await all(store, subject, { proofBytes: 6 })
  assert.deepEqual(
    small.map(({ unreadable }) => unreadable?.code),
    ['PROOF_TOO_LARGE'],
  )
})

test('any bytes under the tags of proofs are proofs, or refused ones', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      fc.constantFrom('sig', 'att'),
      async (bytes, suffix) => {
        const { store, subject } = await repository()
        const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length }
        const source = {
          resolve: async (reference: string) =>
            reference.endsWith(suffix) ? descriptor : store.resolve(reference),
          open: async () => bytesReader(bytes),
          referrers: (digest: Digest) => store.referrers(digest),
        }
        const [proof] = await Array.fromAsync(gatherProofs(source, subject))
        assert.equal(proof?.unreadable?.code, 'PROOF_UNREADABLE')
      },
    ),
    { numRuns: 50 },
  )
})
