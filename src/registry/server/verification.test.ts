import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { MemoryRepositories, type Repositories, type Repository } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { codeOf, get, manifestOf, raw, type Started, start, stored } from './server.suite.ts'
import type { Stamped } from './verification.ts'

/** Memory in which bits can flip behind the server's back; counts what is read of it. */
class Rotting implements Repositories {
  readonly memory = new MemoryRepositories()
  readonly flips = new Map<string, number>()
  stamp: string | undefined
  readBytes = 0

  names: Repositories['names'] = (page) => this.memory.names(page)

  async repository(name: string): Promise<(Repository & Stamped) | undefined> {
    const inner = await this.memory.repository(name)
    if (!inner) return undefined
    return {
      resolve: (reference) => inner.resolve(reference),
      find: (digest) => inner.find(digest),
      tags: (page) => inner.tags(page),
      referrers: (subject, type) => inner.referrers(subject, type),
      stamp: async () => this.stamp,
      open: async (content, range) => {
        const reader = await inner.open(content, range)
        let at = range?.offset ?? 0
        return {
          close: () => reader.close(),
          read: async (into) => {
            const count = await reader.read(into)
            const flip = (this.flips.get(content.digest) ?? -1) - at
            if (flip >= 0 && flip < count) into[flip]! ^= 1
            at += count
            this.readBytes += count
            return count
          },
        }
      },
    }
  }
}

async function rotting(size: number): Promise<{ store: Rotting; content: Descriptor; bytes: Buffer }> {
  const store = new Rotting()
  const bytes = randomBytes(size)
  return { store, bytes, content: await stored(store.memory, 'a', bytes) }
}

const pull = ({ url }: Started, content: Descriptor, headers: Record<string, string> = {}) =>
  fetch(`${url}/v2/a/blobs/${content.digest}`, { headers })

test('a flipped bit anywhere breaks the reply off, is told, counted, and refused from then on', async () => {
  for (const [size, flip] of [
    [5_000_000, 0],
    [5_000_000, 2_500_000],
    [5_000_000, 4_999_999],
    [10, 5],
  ] as const) {
    const { store, content } = await rotting(size)
    store.flips.set(content.digest, flip)
    await using started = await start({ repositories: store })
    const first = await raw(started.port, get(`/v2/a/blobs/${content.digest}`))
    const body = first.slice(first.indexOf('\r\n\r\n') + 4)
    assert.ok(body.length < size, `${body.length} of ${size} bytes went out`)
    const { message, ...event } = (await started.event(({ event }) => event === 'damaged')) as {
      message: string
    }
    assert.deepEqual(event, { event: 'damaged', level: 'error', repository: 'a', digest: content.digest })
    assert.match(message, /has the digest|bytes of/)
    for (const headers of [{}, { Range: 'bytes=0-1' }]) {
      const later = await pull(started, content, headers)
      assert.equal(later.status, 500)
      const { errors } = (await later.json()) as { errors: { code: string; detail: unknown }[] }
      assert.deepEqual(errors[0]?.detail, { code: 'CONTENT_DAMAGED', digest: content.digest })
    }
    const metrics = await (await fetch(`${started.url}/metrics`)).text()
    assert.match(metrics, /sealift_registry_damaged_contents_total 1\n/)
  }
})

test('content that ends early is damaged too', async () => {
  const { store, content } = await rotting(100_000)
  const lying = { ...content, size: 100_001 }
  const repository = (await store.repository('a'))!
  await using started = await start({
    repositories: {
      names: store.names,
      repository: async () => ({ ...repository, find: async () => lying }),
    },
  })
  const reply = await raw(started.port, get(`/v2/a/blobs/${content.digest}`))
  assert.ok(!reply.includes('content-length: 100001') || reply.length < 100_001)
  assert.equal((await pull(started, content)).status, 500)
})

test('a part is served only once the whole is known to be good', async () => {
  const { store, content, bytes } = await rotting(3_000_000)
  await using started = await start({ repositories: store })
  const range = { Range: 'bytes=5-9' }
  const part = await pull(started, content, range)
  assert.equal(part.status, 206)
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(5, 10))
  assert.equal(store.readBytes, 3_000_005)
  await (await pull(started, content, range)).arrayBuffer()
  assert.equal(store.readBytes, 3_000_010, 'it is remembered')
  const { store: bad, content: other } = await rotting(3_000_000)
  bad.flips.set(other.digest, 2_999_999)
  await using refusing = await start({ repositories: bad })
  const refused = await pull(refusing, other, range)
  assert.equal(refused.status, 500)
  assert.equal(await codeOf(refused), 'UNKNOWN')
})

test('many who ask at once for what is not known yet all get it whole, or none does', async () => {
  const { store, content, bytes } = await rotting(4_000_000)
  await using started = await start({ repositories: store })
  const replies = await Promise.all(
    Array.from({ length: 6 }, async () => (await pull(started, content)).arrayBuffer()),
  )
  for (const reply of replies) assert.ok(bytes.equals(Buffer.from(reply)))
  const { store: bad, content: other } = await rotting(4_000_000)
  bad.flips.set(other.digest, 3_999_999)
  await using refusing = await start({ repositories: bad })
  const all = await Promise.allSettled(
    Array.from({ length: 6 }, async () => {
      const reply = await pull(refusing, other)
      assert.equal(reply.status, 200)
      await reply.arrayBuffer()
    }),
  )
  assert.ok(all.every(({ status }) => status === 'rejected'))
})

test('where the store tells that content changed, it is looked at again', async () => {
  const { store, content } = await rotting(1000)
  store.stamp = 'one'
  await using started = await start({ repositories: store })
  assert.equal((await pull(started, content)).status, 200)
  store.flips.set(content.digest, 3)
  store.stamp = 'two'
  await assert.rejects(async () => (await pull(started, content)).arrayBuffer())
  assert.equal((await pull(started, content)).status, 500)
  store.flips.clear()
  store.stamp = 'three'
  assert.equal((await pull(started, content)).status, 200)
})

test('a damaged manifest is never served', async () => {
  const store = new Rotting()
  const config = await stored(store.memory, 'a', Buffer.from('{}'))
  const manifest = await stored(store.memory, 'a', manifestOf(config), mediaTypes.ociManifest)
  store.flips.set(manifest.digest, 20)
  await using started = await start({ repositories: store })
  for (let time = 0; time < 2; time++) {
    const reply = await fetch(`${started.url}/v2/a/manifests/${manifest.digest}`)
    assert.equal(reply.status, 500)
    assert.equal(await codeOf(reply), 'UNKNOWN')
  }
  assert.equal(started.events.filter(({ event }) => event === 'damaged').length, 1)
})

test('damaged content that is pushed again is good again', async () => {
  const memory = new MemoryRepositories()
  const bytes = randomBytes(1000)
  const content = await stored(memory, 'a', bytes)
  let bad = true
  const repositories: Repositories = {
    names: (page) => memory.names(page),
    create: (name) => memory.create(name),
    async repository(name) {
      const inner = (await memory.repository(name))!
      if (!bad) return inner
      return {
        ...inner,
        find: inner.find.bind(inner),
        open: async () => ({ close: async () => undefined, read: async () => 0 }),
      } as Repository
    },
  }
  await using started = await start({ repositories })
  await assert.rejects(async () => (await pull(started, content)).arrayBuffer())
  bad = false
  assert.equal((await pull(started, content)).status, 500)
  const digest = digestOf(bytes)
  await fetch(`${started.url}/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: bytes })
  assert.deepEqual(Buffer.from(await (await pull(started, content)).arrayBuffer()), bytes)
})
