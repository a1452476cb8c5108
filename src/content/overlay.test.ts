import assert from 'node:assert/strict'
import { test } from 'node:test'
import { putImage } from '../../test/support/random-image.ts'
import { copy } from './copy.ts'
import { MemoryRepositories } from './memory.ts'
import { overlay } from './overlay.ts'
import { storeTests } from './store.suite.ts'
import type { Store } from './types.ts'

storeTests('an overlay over nothing', async () => ({
  repositories: overlay(new MemoryRepositories(), new MemoryRepositories()) as MemoryRepositories,
  async [Symbol.asyncDispose]() {},
}))

test('what is pushed lies over what is there, which stays as it is', async () => {
  const below = new MemoryRepositories()
  const app = await below.create('app')
  const old = await putImage(app, 'old', [10])
  await app.tag(old, '1')
  const above = new MemoryRepositories()
  const whole = overlay(below, above)
  assert.deepEqual(await whole.names(), ['app'])
  const store = (await whole.create?.('app')) as Store
  const fresh = await putImage(store, 'new', [20], { subject: old })
  await store.tag(fresh, '2')
  await store.tag(old, 'again')
  assert.deepEqual(await store.tags(), ['1', '2', 'again'])
  assert.deepEqual(await store.resolve('1'), old)
  assert.deepEqual(await store.resolve('again'), old)
  const referrers: string[] = []
  for await (const { digest } of store.referrers(old.digest)) referrers.push(digest)
  assert.deepEqual(referrers, [fresh.digest])
  await assert.rejects(store.untag('1'), { code: 'CONTENT_READ_ONLY' })
  await assert.rejects(
    store.delete((await app.resolve('1')).digest).then(() => store.delete(old.digest)),
    {
      code: 'CONTENT_READ_ONLY',
    },
  )
  assert.deepEqual(await app.tags(), ['1'])
  const other = (await whole.create?.('other')) as Store
  const layer = { mediaType: 'application/octet-stream', digest: old.digest, size: old.size }
  assert.ok(await other.mount(layer.digest, 'app'))
  await copy(old, store, other, { tags: ['copy'] })
  assert.deepEqual(await other.resolve('copy'), old)
})
