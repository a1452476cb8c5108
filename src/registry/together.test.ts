// Our client against our server: what neither can show alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesReader, copy, MemoryRepositories, MemoryStore } from '#content/index.ts'
import { targetTests } from '#content/target.suite.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { putImage, putIndex, seededBytes } from '../../test/support/random-image.ts'
import { quickClient } from '../../test/support/registry-client.ts'
import type { UploadJournal } from './client/index.ts'
import { createRegistryServer } from './server/index.ts'

function memoryJournal(): UploadJournal {
  const entries = new Map<string, string>()
  return {
    get: async (key) => entries.get(key),
    set: async (key, location) => void entries.set(key, location),
    delete: async (key) => void entries.delete(key),
  }
}

const opened: AsyncDisposable[] = []

async function place() {
  const server = createRegistryServer({ repositories: new MemoryRepositories() })
  const { registry } = await server.listen('127.0.0.1:0')
  const open = async () => {
    const { client } = quickClient()
    opened.push(client)
    return client.repository({ registry, repository: 'suite/target' })
  }
  opened.push(server)
  return { target: open, committed: open }
}

targetTests('our server', place)

test('everything that was opened ends', async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]()
})

test('a push whose process ends is taken up by the next one where the server has come to', async () => {
  const patches: { complete: boolean; receivedBytes: number }[] = []
  const { promise: ended, resolve: noteEnd } = Promise.withResolvers<void>()
  await using server = createRegistryServer({
    repositories: new MemoryRepositories(),
    log: (event) => {
      if (event.event !== 'request' || event.method !== 'PATCH') return
      patches.push({ complete: event.complete, receivedBytes: event.receivedBytes })
      noteEnd()
    },
  })
  const { registry } = await server.listen('127.0.0.1:0')
  const uploads = memoryJournal()
  const bytes = seededBytes('taken up', 7_000_000)
  const content = { mediaType: mediaTypes.octets, digest: digestOf(bytes), size: bytes.length }
  const stop = new AbortController()
  {
    await using client = quickClient({ uploads }).client
    const target = client.repository({ registry, repository: 'a' })
    const dying = async (offset: number) => {
      const inner = bytesReader(bytes.subarray(offset))
      let left = 4_000_000
      return {
        read: async (into: Uint8Array) => {
          if (left <= 0) stop.abort(new Error('killed'))
          const count = await inner.read(into.subarray(0, 100_000))
          left -= count
          return count
        },
        close: () => inner.close(),
      }
    }
    await assert.rejects(target.write(content, dying, { signal: stop.signal }), /killed/)
  }
  await ended
  await using client = quickClient({ uploads }).client
  const offsets: number[] = []
  const outcome = await client.repository({ registry, repository: 'a' }).write(content, async (offset) => {
    offsets.push(offset)
    return bytesReader(bytes.subarray(offset))
  })
  assert.equal(outcome, 'copied')
  assert.equal(patches[0]?.complete, false)
  assert.deepEqual(offsets, [patches[0]?.receivedBytes])
  assert.ok(offsets[0]! > 0)
})

test('an index with referrers travels, is mounted next door, and is nothing to do the second time', async () => {
  await using server = createRegistryServer({ repositories: new MemoryRepositories() })
  const { registry } = await server.listen('127.0.0.1:0')
  await using client = quickClient().client
  const store = new MemoryStore()
  const root = await putIndex(store, 'together')
  await putImage(store, 'sbom', [100], { subject: root, artifactType: 'application/x.sbom' })
  const one = client.repository({ registry, repository: 'one' })
  const two = client.repository({ registry, repository: 'two' })
  const first = await copy(root, store, one, { tags: ['v1'] })
  assert.equal(first.companions, 1)
  assert.equal((await copy(root, store, one, { tags: ['v1'] })).copied.items, 0)
  const second = await copy(await one.resolve('v1'), one, two, { tags: ['v1'] })
  assert.ok(second.mounted.items > 0)
  assert.equal(second.companions, 1)
  assert.equal((await Array.fromAsync(two.referrers(root.digest, 'application/x.sbom'))).length, 1)
  assert.equal((await one.supportsSparseIndex()).supported, true)
  assert.deepEqual(await two.tags(), ['v1'])
})
