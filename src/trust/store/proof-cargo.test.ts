import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, limits } from '#base/index.ts'
import { bytesReader, legacyTag, MemoryStore, readVerified } from '#content/index.ts'
import { generateKeyPair, privateKeySigner } from '#keys/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { sealLegacySignature } from '../sign/seal-legacy.ts'
import { keySignatory } from '../sign/signatory.ts'
import { ProofCargo } from './proof-cargo.ts'
import { bundleMediaType, simpleSigningMediaType } from './proof-media-types.ts'

const subject: Descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from('x')), size: 1 }
const tag = legacyTag(subject.digest, 'sig')
const layer = (payload: string, signature: string) => ({
  payload: Buffer.from(payload),
  annotations: { 'dev.cosignproject.cosign/signature': signature },
})

async function put(store: MemoryStore, text: string, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(text)
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(descriptor, async () => bytesReader(bytes))
  return descriptor
}
async function textOf(store: MemoryStore, reference: string): Promise<string> {
  const bytes = await readVerified(store, await store.resolve(reference), limits.manifestBytes)
  return Buffer.from(bytes).toString()
}
async function signed(
  store: MemoryStore,
  ...layers: readonly Parameters<ProofCargo['addLegacySignature']>[1][]
) {
  for (const one of layers) {
    const cargo = new ProofCargo()
    await cargo.addLegacySignature(subject, one, store)
    await cargo.writeTo(store)
  }
  return JSON.parse(await textOf(store, tag))
}

test('a bundle hangs on its subject, as cosign 3 writes it', async () => {
  const store = new MemoryStore()
  const cargo = new ProofCargo()
  const created = new Date('2026-11-21T06:00:00.999Z')
  const root = await cargo.addBundle(subject, Buffer.from('{}'), { predicateType: 'https://x', created })
  await cargo.writeTo(store)
  const empty = digestOf(Buffer.from('{}'))
  assert.equal(
    await textOf(store, root.digest),
    `{"schemaVersion":2,"mediaType":"${mediaTypes.ociManifest}","config":{"mediaType":"${mediaTypes.empty}","size":2,"digest":"${empty}","artifactType":"${bundleMediaType}"},"layers":[{"mediaType":"${bundleMediaType}","size":2,"digest":"${empty}"}],"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://x","org.opencontainers.image.created":"2026-11-21T06:00:00Z"},"subject":{"mediaType":"${mediaTypes.ociManifest}","size":1,"digest":"${subject.digest}"},"artifactType":"${bundleMediaType}"}`,
  )
  const [found] = await Array.fromAsync(store.referrers(subject.digest))
  assert.equal(found?.digest, root.digest)
})

test('legacy signatures go on top of those that are there, which keep every member they have', async () => {
  const store = new MemoryStore()
  const config = await put(store, '{"config":{}}', mediaTypes.ociConfig)
  const held = await put(store, 'theirs', simpleSigningMediaType)
  const theirs = { ...held, annotations: { unknown: 'kept' }, data: 'dGhlaXJz', more: 1 }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [theirs],
    extra: true,
  }
  await store.tag(await put(store, JSON.stringify(manifest), mediaTypes.ociManifest), tag)
  const { layers } = await signed(store, layer('ours', 'c2ln'), layer('ours', 'b3RoZXI='))
  assert.equal(layers.length, 3)
  assert.deepEqual(layers[0], theirs)
  const { rootfs, history } = JSON.parse(
    await textOf(store, JSON.parse(await textOf(store, tag)).config.digest),
  )
  assert.deepEqual(rootfs.diff_ids, [
    held.digest,
    digestOf(Buffer.from('ours')),
    digestOf(Buffer.from('ours')),
  ])
  assert.equal(history.length, 3)
})

test('the same signature, and the same key over the same payload, are there once', async () => {
  const store = new MemoryStore()
  const { privateKey } = await generateKeyPair('ecdsa-p256')
  const means = { signatory: keySignatory(privateKeySigner(privateKey)), witnesses: [] }
  const seal = (payload: string) => sealLegacySignature(Buffer.from(payload), means)
  assert.equal((await signed(store, layer('p', 'c2ln'), layer('p', 'c2ln'))).layers.length, 1)
  assert.equal((await signed(store, await seal('p'), await seal('p'))).layers.length, 2)
  assert.equal((await signed(store, await seal('another'))).layers.length, 3)
})

test('what is no manifest of signatures, or is full, takes none', async () => {
  const full = (count: number) => Array(count).fill({ mediaType: 'a/b', digest: subject.digest, size: 1 })
  const cases: [unknown, string | undefined][] = [
    [[], 'PROOF_MALFORMED'],
    [{ schemaVersion: 2, manifests: [] }, 'PROOF_MALFORMED'],
    [{ layers: [7] }, 'PROOF_MALFORMED'],
    [{ layers: full(limits.proofs) }, 'PROOF_TOO_MANY'],
    [{ layers: full(limits.proofs - 1) }, undefined],
  ]
  for (const [value, code] of cases) {
    const bytes = Buffer.from(JSON.stringify(value))
    const existing = {
      resolve: async () => ({
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(bytes),
        size: bytes.length,
      }),
      open: async () => bytesReader(bytes),
    }
    const adding = new ProofCargo().addLegacySignature(subject, layer('p', 'c2ln'), existing)
    if (code === undefined) await adding
    else await assert.rejects(adding, (error) => isFailure(error, code), code)
  }
})

test('any bytes in place of the signatures are refused with a code, or added to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json(), async (text) => {
      const bytes = Buffer.from(text)
      const existing = {
        resolve: async () => ({
          mediaType: mediaTypes.ociManifest,
          digest: digestOf(bytes),
          size: bytes.length,
        }),
        open: async () => bytesReader(bytes),
      }
      try {
        await new ProofCargo().addLegacySignature(subject, layer('p', 'c2ln'), existing)
      } catch (error) {
        assert.ok(isFailure(error), String(error))
      }
    }),
    { numRuns: 50 },
  )
})
