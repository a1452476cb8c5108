import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { tufRepository } from '../../../test/support/tuf-repository.ts'
import { fetchTufRoot } from './tuf.ts'

const mediaType = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1'
const rootOf = (number: number) => Buffer.from(JSON.stringify({ mediaType, tlogs: [], number }))
const refused = (code: string) => (error: unknown) => {
  assert.ok(isFailure(error), String(error))
  assert.equal(error.code, code, error.message)
  return true
}

test('a root is fetched, then a newer one from where the first left off', async () => {
  await using repository = await tufRepository()
  const { url: mirror } = repository
  repository.put({ version: 1, target: rootOf(1) })
  const first = await fetchTufRoot({ mirror, metadata: { 'root.json': repository.root } })
  assert.deepEqual(first.root, { mediaType, tlogs: [], number: 1 })
  assert.equal(first.version, 1)
  repository.put({ version: 2, target: rootOf(2) })
  repository.files.set('2.root.json', repository.rootOf(2))
  const second = await fetchTufRoot({ mirror, metadata: first.metadata })
  assert.deepEqual([second.version, (second.root as { number: number }).number], [2, 2])
  assert.equal(JSON.parse(second.metadata['root.json'] as string).signed.version, 2)
  // The same state again is no fault.
  assert.equal((await fetchTufRoot({ mirror, metadata: second.metadata })).version, 2)
})

test('what has expired is refused', async () => {
  await using repository = await tufRepository()
  repository.put({ version: 1, target: rootOf(1), lifeMs: -1000 })
  const update = { mirror: repository.url, metadata: { 'root.json': repository.root } }
  await assert.rejects(fetchTufRoot(update), refused('TRUST_ROOT_EXPIRED'))
})

test('a repository that goes back is refused: its timestamp, and its snapshot under a newer timestamp', async () => {
  await using repository = await tufRepository()
  const { url: mirror } = repository
  repository.put({ version: 5, target: rootOf(5) })
  const { metadata } = await fetchTufRoot({ mirror, metadata: { 'root.json': repository.root } })
  repository.put({ version: 4, target: rootOf(4) })
  await assert.rejects(fetchTufRoot({ mirror, metadata }), refused('TRUST_ROOT_ROLLED_BACK'))
  repository.put({ version: 6, snapshotVersion: 3, target: rootOf(6) })
  await assert.rejects(fetchTufRoot({ mirror, metadata }), refused('TRUST_ROOT_ROLLED_BACK'))
})

test('a wrong signature, another file than was promised, and a missing file are refused', async () => {
  await using repository = await tufRepository()
  const update = { mirror: repository.url, metadata: { 'root.json': repository.root } }
  await assert.rejects(fetchTufRoot(update), refused('SIGNING_SERVICE_REFUSED'))
  repository.put({ version: 1, target: rootOf(1), forger: true })
  await assert.rejects(fetchTufRoot(update), refused('TRUST_ROOT_UPDATE_INVALID'))
  const { targetFile } = repository.put({ version: 1, target: rootOf(1) })
  repository.files.set('2.root.json', repository.forgedRootOf(2))
  await assert.rejects(fetchTufRoot(update), refused('TRUST_ROOT_UPDATE_INVALID'))
  repository.files.delete('2.root.json')
  repository.files.set(targetFile, rootOf(9))
  await assert.rejects(fetchTufRoot(update), refused('TRUST_ROOT_UPDATE_INVALID'))
  const other = { ...update, target: 'other.json' }
  await assert.rejects(fetchTufRoot(other), refused('TRUST_ROOT_UPDATE_INVALID'))
})

test('nobody is asked over plain HTTP but this machine, and nothing is left behind', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('sealift-tuf-')).length
  const update = { mirror: 'http://tuf.example', metadata: { 'root.json': '{}' } }
  await assert.rejects(fetchTufRoot(update), refused('SIGNING_URL_INVALID'))
  await using repository = await tufRepository()
  for (const text of ['', '{', '[]', 'null', '{"signed":{}}', '['.repeat(100_000)]) {
    const hostile = { mirror: repository.url, metadata: { 'root.json': text } }
    await assert.rejects(fetchTufRoot(hostile), refused('TRUST_ROOT_UPDATE_INVALID'))
  }
  assert.equal(readdirSync(tmpdir()).filter((name) => name.startsWith('sealift-tuf-')).length, before)
})
