import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import fc from 'fast-check'
import { FakeRegistry, send } from '../../../test/support/fake-registry.ts'
import { seededBytes } from '../../../test/support/random-image.ts'
import { quickClient, readAll } from '../../../test/support/registry-client.ts'

const isBlobGet = (request: { method: string; url: string }) =>
  request.method === 'GET' && request.url.includes('/blobs/')

// Both ways that a body can take: through undici, and (from 1 MiB on) directly from the socket.
for (const sizeBytes of [300_000, 3_000_000]) {
  const bytes = seededBytes('blob', sizeBytes)

  test(`a blob of ${sizeBytes} bytes is read whole, in ranges, and with readers of any size`, async () => {
    await using registry = await FakeRegistry.start()
    const { client } = quickClient()
    await using _ = client
    const content = registry.addBlob('a/b', bytes)
    const repository = client.repository({ registry: registry.host, repository: 'a/b' })
    assert.ok(bytes.equals(await readAll(await repository.open(content), 7777)))
    const ranges = fc.record({ offset: fc.nat(sizeBytes + 10), length: fc.nat(sizeBytes) })
    await fc.assert(
      fc.asyncProperty(ranges, async ({ offset, length }) => {
        const part = await readAll(await repository.open(content, { offset, length }))
        assert.ok(part.equals(bytes.subarray(offset, offset + length)))
      }),
      { numRuns: 15 },
    )
  })

  test(`a blob of ${sizeBytes} bytes that breaks off again and again is taken up where it was`, async () => {
    await using registry = await FakeRegistry.start()
    const { client, pauses } = quickClient()
    await using _ = client
    const content = registry.addBlob('a', bytes)
    let breaks = 3
    const offsets: number[] = []
    registry.intercept = (request, response) => {
      if (!isBlobGet(request)) return false
      const first = Number(/bytes=(\d+)/.exec(request.headers.range ?? 'bytes=0')?.[1])
      offsets.push(first)
      if (breaks-- <= 0) return false
      return breakOff(response, bytes, first, 60_000)
    }
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    assert.ok(bytes.equals(await readAll(await repository.open(content))))
    assert.deepEqual(offsets, [0, 60_000, 120_000, 180_000])
    assert.equal(pauses.length, 3)
  })

  test(`a blob of ${sizeBytes} bytes from a server without ranges begins anew, and what is known is skipped`, async () => {
    await using registry = await FakeRegistry.start()
    const { client } = quickClient()
    await using _ = client
    registry.features.ranges = false
    const content = registry.addBlob('a', bytes)
    let broken = false
    registry.intercept = (request, response) => {
      if (!isBlobGet(request) || broken) return false
      broken = true
      return breakOff(response, bytes, 0, 100_000)
    }
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    assert.ok(bytes.equals(await readAll(await repository.open(content))))
    const part = await readAll(await repository.open(content, { offset: 100_000, length: 99 }))
    assert.ok(part.equals(bytes.subarray(100_000, 100_099)))
  })

  test(`lies about a blob of ${sizeBytes} bytes are told as such`, async () => {
    await using registry = await FakeRegistry.start()
    const { client } = quickClient()
    await using _ = client
    const content = registry.addBlob('a', bytes)
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    const lies: [string, (response: ServerResponse, first: number) => boolean][] = [
      ['SIZE_MISMATCH', (response) => send(response, 200, {}, bytes.subarray(1))],
      ['SIZE_MISMATCH', (response) => send(response, 200, {}, Buffer.concat([bytes, bytes]))],
      [
        'DIGEST_MISMATCH',
        (response) => send(response, 200, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }, bytes),
      ],
      ['REGISTRY_ANSWER_INVALID', (response) => send(response, 200, { 'content-encoding': 'gzip' }, bytes)],
      [
        'REGISTRY_ANSWER_INVALID',
        (response) =>
          send(response, 206, { 'content-range': `bytes 0-9/${sizeBytes}` }, bytes.subarray(0, 10)),
      ],
      ['CONTENT_NOT_FOUND', (response) => send(response, 404)],
      ['REGISTRY_FORBIDDEN', (response) => send(response, 403)],
      ['REGISTRY_ANSWER_INVALID', (response) => send(response, 203, {}, bytes)],
    ]
    for (const [code, lie] of lies) {
      registry.intercept = (request, response) => isBlobGet(request) && lie(response, 0)
      await assert.rejects(repository.open(content).then(readAll), { code }, code)
    }
    const partLies: [string, string][] = [
      ['REGISTRY_ANSWER_INVALID', `bytes 1-50/${sizeBytes}`],
      ['REGISTRY_ANSWER_INVALID', `bytes 100-10000/${sizeBytes}`],
      ['SIZE_MISMATCH', `bytes 100-149/${sizeBytes - 1}`],
      ['REGISTRY_ANSWER_INVALID', 'nonsense'],
    ]
    for (const [code, range] of partLies) {
      registry.intercept = (request, response) =>
        isBlobGet(request) && send(response, 206, { 'content-range': range }, bytes.subarray(100, 150))
      await assert.rejects(repository.open(content, { offset: 100, length: 50 }), { code }, range)
    }
  })
}

test('a chunked body that is too long or too short is noticed', async () => {
  await using registry = await FakeRegistry.start()
  const { client } = quickClient()
  await using _ = client
  const bytes = seededBytes('chunked', 2_000_000)
  const content = registry.addBlob('a', bytes)
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  registry.intercept = (request, response) => {
    if (!isBlobGet(request)) return false
    response.writeHead(200)
    response.write(bytes)
    response.end('!')
    return true
  }
  await assert.rejects(repository.open(content).then(readAll), { code: 'SIZE_MISMATCH' })
  registry.intercept = (request, response) => {
    if (!isBlobGet(request)) return false
    response.writeHead(200)
    response.end(bytes.subarray(0, 1_000_000))
    return true
  }
  await assert.rejects(repository.open(content).then(readAll), { code: 'REGISTRY_CONNECTION_LOST' })
})

test('a blob that never gets on is given up after the limit, and no sooner', async () => {
  await using registry = await FakeRegistry.start()
  const { client, pauses } = quickClient({ limits: { retries: 3 } })
  await using _ = client
  const bytes = seededBytes('stuck', 1000)
  const content = registry.addBlob('a', bytes)
  let attempts = 0
  registry.intercept = (request, response) => {
    if (!isBlobGet(request)) return false
    attempts++
    response.destroy()
    return true
  }
  const repository = client.repository({ registry: registry.host, repository: 'a' })
  // It answered once: that is when it is worth waiting for.
  assert.equal(await repository.has(content), true)
  await assert.rejects(repository.open(content), { code: 'REGISTRY_CONNECTION_LOST' })
  assert.equal(attempts, 4)
  assert.deepEqual(pauses, [100, 200, 400])
})

test('a body that trickles, and one that is silent, end in a failure', async () => {
  await using registry = await FakeRegistry.start()
  for (const sizeBytes of [100_000, 2_000_000]) {
    const { client } = quickClient({ limits: { silenceMs: 150, trickleBytes: 5000, retries: 1 } })
    await using _ = client
    const bytes = seededBytes('slow', sizeBytes)
    const content = registry.addBlob('a', bytes)
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    const timers = new Set<NodeJS.Timeout>()
    registry.intercept = (request, response) => {
      if (!isBlobGet(request)) return false
      response.writeHead(request.headers.range ? 206 : 200, {
        'content-length': sizeBytes,
        ...(request.headers.range && { 'content-range': `bytes 0-${sizeBytes - 1}/${sizeBytes}` }),
      })
      timers.add(setInterval(() => response.write('x'), 20))
      return true
    }
    await assert.rejects(repository.open(content).then(readAll), (error: { code: string }) =>
      // Taken up in the middle, the same false answer is a lie as well.
      ['REGISTRY_STALLED', 'REGISTRY_ANSWER_INVALID'].includes(error.code),
    )
    for (const timer of timers) clearInterval(timer)
    registry.intercept = (request) => isBlobGet(request)
    await assert.rejects(repository.open(content).then(readAll), { code: 'REGISTRY_STALLED' })
  }
})

test('an abort ends a download with its reason, before the answer and in the middle of it', async () => {
  await using registry = await FakeRegistry.start()
  const { client } = quickClient()
  await using _ = client
  for (const sizeBytes of [100_000, 2_000_000]) {
    const bytes = seededBytes('abort', sizeBytes)
    const content = registry.addBlob('a', bytes)
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    const reason = new Error('enough')
    const early = new AbortController()
    registry.intercept = (request) => {
      if (!isBlobGet(request)) return false
      early.abort(reason)
      return true
    }
    await assert.rejects(repository.open(content, undefined, { signal: early.signal }), reason)
    const late = new AbortController()
    registry.intercept = (request, response) => {
      if (!isBlobGet(request)) return false
      response.writeHead(200, { 'content-length': sizeBytes })
      response.write(bytes.subarray(0, 50_000))
      return true
    }
    const reader = await repository.open(content, undefined, { signal: late.signal })
    await reader.read(Buffer.alloc(50_000))
    const pending = readAll(reader)
    late.abort(reason)
    await assert.rejects(pending, reason)
    await assert.rejects(repository.open(content, undefined, { signal: AbortSignal.abort(reason) }), reason)
  }
})

test('a closed reader lets go of its connection, and the next download works', async () => {
  await using registry = await FakeRegistry.start()
  const { client } = quickClient({ connections: 1 })
  await using _ = client
  for (const sizeBytes of [100_000, 5_000_000]) {
    const bytes = seededBytes('closed', sizeBytes)
    const content = registry.addBlob('a', bytes)
    const repository = client.repository({ registry: registry.host, repository: 'a' })
    for (let round = 0; round < 3; round++) {
      const reader = await repository.open(content)
      await reader.read(Buffer.alloc(10))
      await reader.close()
      await assert.rejects(reader.read(Buffer.alloc(10)))
    }
    assert.ok(bytes.equals(await readAll(await repository.open(content))))
  }
})

function breakOff(response: ServerResponse, bytes: Buffer, first: number, count: number): true {
  const rest = bytes.subarray(first)
  response.writeHead(first > 0 ? 206 : 200, {
    'content-length': rest.length,
    ...(first > 0 && { 'content-range': `bytes ${first}-${bytes.length - 1}/${bytes.length}` }),
  })
  response.write(rest.subarray(0, count), () => setTimeout(() => response.destroy(), 20))
  return true
}
