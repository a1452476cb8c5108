import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { isFailure, limits } from '#base/index.ts'
import { ArchiveWriter, bytesReader, copy, MemoryStore, openArchive, verify } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { archiveSignatureFile, gatherArchiveProofs } from './archive-proofs.ts'
import { gatherProofs } from './gather-proofs.ts'
import { ProofCargo } from './proof-cargo.ts'

const cwd = mkdtempSync(join(tmpdir(), 'sealift-archive-proofs-'))
after(() => rmSync(cwd, { recursive: true }))
const repository = 'registry.example/shop/web'
const facts = { predicateType: 'https://sigstore.dev/cosign/sign/v1', created: new Date(0) }

async function put(store: MemoryStore, text: string, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(text)
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(descriptor, async () => bytesReader(bytes))
  return descriptor
}

/** An archive with one image of nothing, tagged 1.0. */
async function archive(name: string): Promise<{ path: string; subject: Descriptor }> {
  const store = new MemoryStore()
  const config = await put(store, '{}', mediaTypes.empty)
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }
  const subject = await put(store, JSON.stringify(manifest), mediaTypes.ociManifest)
  const path = join(cwd, name)
  await using writer = new ArchiveWriter(path)
  await copy(subject, store, writer.repository(repository), { tags: ['1.0'] })
  return { path, subject }
}

/** Appends the proofs of a content and a signature over the index, in one generation. */
async function sign(path: string, subject: Descriptor, text: string): Promise<void> {
  const opened = await openArchive(path)
  const cargo = new ProofCargo()
  await cargo.addBundle(subject, Buffer.from(`{"of":"content","by":"${text}"}`), facts)
  const layer = { payload: Buffer.from(text), annotations: { 'dev.cosignproject.cosign/signature': 'c2ln' } }
  await cargo.addLegacySignature(subject, layer, (await opened.repository(repository)) as never)
  const file = archiveSignatureFile(opened.reader.pointer.indexDigest, Buffer.from(`{"by":"${text}"}`))
  await using writer = await ArchiveWriter.append(path, { files: [file] })
  await cargo.writeTo(writer.repository(repository))
  await opened.close()
}

test('an archive carries its signatures inside, and stays whole', async () => {
  const { path, subject } = await archive('inside.tgz')
  const before = await openArchive(path)
  assert.deepEqual(await gatherArchiveProofs(before), [])
  const root = before.reader.pointer.indexDigest
  await before.close()
  await sign(path, subject, 'first')
  await sign(path, subject, 'second')

  const opened = await openArchive(path)
  const report = await verify(opened)
  assert.deepEqual(report.problems, [])
  const signed = await gatherArchiveProofs(opened)
  assert.deepEqual(
    signed.map(({ generation, contents, proofs }) => [generation, contents, proofs.length]),
    [
      [0, 2, 1],
      [1, 7, 1],
    ],
  )
  assert.equal(signed[0]?.root, root)
  assert.equal(Buffer.from(signed[0]?.proofs[0]?.bytes ?? []).toString(), '{"by":"first"}')
  // Bundle, its manifest; payload, config and manifest of the legacy signature; and the same again, with the empty
  // config in the archive already.
  assert.equal(signed[0]?.added.length, 10)
  assert.deepEqual(signed[0]?.changed, ['artifacts/layout/index.json'])
  const found = await opened.repository(repository)
  const proofs = await Array.fromAsync(gatherProofs(found as never, subject))
  assert.deepEqual(
    proofs.map(({ form }) => form),
    ['bundle', 'bundle', 'legacy-signature', 'legacy-signature'],
  )
  await opened.close()
})

test('a layout and an archive of bare names find what was attached, through the whole container too', async () => {
  const { path, subject } = await archive('whole.tgz')
  await sign(path, subject, 'x')
  const opened = await openArchive(path)
  const proofs = await Array.fromAsync(gatherProofs(opened.source, subject))
  assert.ok(proofs.some(({ form }) => form === 'bundle'))
  await opened.close()
})

test('too many or too large signatures are refused, at the limit and one beyond', async () => {
  const { path, subject } = await archive('limits.tgz')
  await sign(path, subject, 'x')
  await sign(path, subject, 'y')
  const opened = await openArchive(path)
  const all = (proofs: number, proofBytes: number) => gatherArchiveProofs(opened, { proofs, proofBytes })
  const sizeBytes = '{"by":"x"}'.length
  assert.equal((await all(2, sizeBytes)).length, 2)
  await assert.rejects(all(1, limits.proofBytes), (error) => isFailure(error, 'PROOF_TOO_MANY'))
  await assert.rejects(all(2, sizeBytes - 1), (error) => isFailure(error, 'PROOF_TOO_LARGE'))
  await opened.close()
})
