import assert from 'node:assert/strict'
import { copyFile, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { nodeFileSystem } from '#base/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { put, putImage, putIndex, seededBytes } from '../../../test/support/random-image.ts'
import { copy, copyAll } from '../copy.ts'
import { MemoryStore } from '../memory.ts'
import { bytesReader, readVerified } from '../readers.ts'
import type { BytesVerdict } from '../verify.ts'
import {
  blockBytes,
  chunkContentBytes,
  decodePointer,
  placeMember,
  positionOf,
  wholeMember,
} from './format.ts'
import { formatIndex, parseIndex } from './index-file.ts'
import { ArchiveReader } from './reader.ts'
import { verifyArchiveBytes } from './verify-bytes.ts'
import { ArchiveWriter } from './writer.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-archive-'))
})
after(() => rm(folder, { recursive: true }))

let counter = 0
const fresh = (): string => join(folder, `${counter++}.tgz`)

async function packed(
  seed: string,
  path = fresh(),
): Promise<{ path: string; source: MemoryStore; root: Descriptor }> {
  const source = new MemoryStore()
  const root = await putImage(source, seed, [
    0,
    1,
    blockBytes,
    blockBytes + 1,
    chunkContentBytes,
    chunkContentBytes + 7,
  ])
  await using writer = new ArchiveWriter(path, { files: [{ path: 'bundle.json', bytes: Buffer.from('{}') }] })
  await copy(root, source, writer.repository('example.com/app'), { tags: ['1.0'] })
  return { path, source, root }
}

async function verdicts(path: string): Promise<BytesVerdict[]> {
  await using reader = await ArchiveReader.open(path)
  const list: BytesVerdict[] = []
  for await (const verdict of verifyArchiveBytes(reader)) list.push(verdict)
  return list
}
const problemsOf = async (path: string) => (await verdicts(path)).filter(({ problem }) => problem)

test('every content byte is where arithmetic says, and gunzip reads the whole as a tar', async () => {
  const { path, source } = await packed('places')
  const file = await readFile(path)
  await using reader = await ArchiveReader.open(path)
  for (const { digest, size, offset } of reader.index.blobs) {
    const content = (await source.find(digest)) as Descriptor
    const bytes = await readVerified(source, content, size)
    for (const at of [0, 1, blockBytes - 1, blockBytes, chunkContentBytes - 1, chunkContentBytes, size - 1]) {
      if (at >= 0 && at < size) assert.equal(file[positionOf(offset, at)], bytes[at])
    }
  }
  const tar = gunzipSync(file)
  assert.equal(tar.length % 512, 0)
  assert.ok(tar.subarray(-1024).every((byte) => byte === 0))
  assert.equal(tar.subarray(257, 262).toString(), 'ustar')
})

test('ranges of any blob are read from their places', async () => {
  const { path, source } = await packed('ranges')
  await using reader = await ArchiveReader.open(path)
  const entry = reader.index.blobs.find(({ size }) => size === chunkContentBytes + 7)!
  const whole = await readVerified(source, entry, entry.size)
  await fc.assert(
    fc.asyncProperty(
      fc.nat(entry.size + 10),
      fc.nat(200_000),
      fc.integer({ min: 1, max: 70_000 }),
      async (offset, length, step) => {
        const blob = reader.open(entry.digest, { offset, length })
        const parts: Buffer[] = []
        for (;;) {
          const buffer = Buffer.alloc(step)
          const count = await blob.read(buffer)
          if (count === 0) break
          parts.push(buffer.subarray(0, count))
        }
        assert.ok(Buffer.concat(parts).equals(whole.subarray(offset, offset + length)))
      },
    ),
    { numRuns: 60 },
  )
})

test('the same content gives the same bytes, whatever order it arrives in', async () => {
  const one = await packed('same')
  const source = new MemoryStore()
  await put(source, seededBytes('unrelated', 10), mediaTypes.octets)
  const root = await putImage(source, 'same', [
    0,
    1,
    blockBytes,
    blockBytes + 1,
    chunkContentBytes,
    chunkContentBytes + 7,
  ])
  const path = fresh()
  await using writer = new ArchiveWriter(path, { files: [{ path: 'bundle.json', bytes: Buffer.from('{}') }] })
  await copy(root, source, writer.repository('example.com/app'), { tags: ['1.0'], concurrency: 1 })
  assert.ok((await readFile(path)).equals(await readFile(one.path)))
})

test('several repositories share what they have in common', async () => {
  const source = new MemoryStore()
  const one = await putImage(source, 'x', [500, 600])
  const two = await putImage(source, 'x', [500, 600], { annotations: { a: 'b' } })
  const path = fresh()
  await using writer = new ArchiveWriter(path)
  await copyAll([
    { root: one, source, target: writer.repository('a.example/one'), tags: ['1'] },
    { root: two, source, target: writer.repository('a.example/two'), tags: ['1', '2'] },
  ])
  await using reader = await ArchiveReader.open(path)
  assert.equal(reader.index.blobs.length, 5)
  assert.deepEqual(await problemsOf(path), [])
})

test('a write that is cut off is taken up where it was', async () => {
  const source = new MemoryStore()
  const big = 4 * chunkContentBytes + 5
  const root = await putImage(source, 'resume', [big, 10])
  const path = fresh()
  const asked: number[] = []
  const flaky = {
    resolve: (reference: string) => source.resolve(reference),
    referrers: (digest: Descriptor['digest']) => source.referrers(digest),
    async open(content: Descriptor, range?: { offset: number }) {
      const reader = await source.open(content, range)
      if (content.size !== big) return reader
      asked.push(range?.offset ?? 0)
      let left = 2.5 * chunkContentBytes
      return {
        close: () => reader.close(),
        async read(into: Uint8Array) {
          const count = await reader.read(into.subarray(0, Math.min(into.length, 100_000)))
          left -= count
          if (left < 0) throw new Error('the link is cut')
          return count
        },
      }
    },
  }
  const attempt = async () => {
    await using writer = new ArchiveWriter(path)
    await copy(root, flaky, writer.repository('a.example/b'), { tags: ['1'] })
  }
  await assert.rejects(attempt(), /link is cut/)
  await assert.rejects(stat(path), { code: 'ENOENT' })
  await attempt()
  assert.deepEqual(asked, [0, 2 * chunkContentBytes])
  assert.deepEqual(await problemsOf(path), [])
  await assert.rejects(stat(`${path}.partial`), { code: 'ENOENT' })
  await assert.rejects(stat(`${path}.journal`), { code: 'ENOENT' })
})

test('bytes that turn out to be wrong get no name and are not taken up again', async () => {
  const source = new MemoryStore()
  const root = await putImage(source, 'wrong', [2 * chunkContentBytes + 1])
  const lying = {
    resolve: (reference: string) => source.resolve(reference),
    async open(content: Descriptor, range?: { offset: number }) {
      if (content.size < chunkContentBytes) return source.open(content, range)
      return bytesReader(Buffer.alloc(content.size - (range?.offset ?? 0)))
    },
  }
  const path = fresh()
  const attempt = async (from: Pick<MemoryStore, 'resolve' | 'open'>) => {
    await using writer = new ArchiveWriter(path)
    await copy(root, from, writer.repository('a.example/b'))
  }
  await assert.rejects(attempt(lying), { code: 'DIGEST_MISMATCH' })
  await attempt(source)
  assert.deepEqual(await problemsOf(path), [])
})

test('what an append adds supersedes the index; everything of before is still there and nothing moved', async () => {
  const { path, source, root } = await packed('append')
  const before = await ArchiveReader.open(path)
  const signature = await putImage(source, 'signature', [100], { subject: root })
  for (const seed of ['second', 'third']) {
    const more = await putIndex(source, seed)
    await using writer = await ArchiveWriter.append(path)
    await copyAll([
      { root: more, source, target: writer.repository('example.com/more'), tags: [seed] },
      { root, source, target: writer.repository('example.com/app'), tags: ['1.0'] },
    ])
  }
  await using reader = await ArchiveReader.open(path)
  assert.equal(reader.index.generation, 2)
  assert.ok(reader.blob(signature.digest))
  for (const { digest, offset } of before.index.blobs) assert.equal(reader.blob(digest)?.offset, offset)
  // Whoever had it open reads on.
  const entry = before.index.blobs[0]!
  await readVerified({ open: async () => before.open(entry.digest) }, entry, entry.size)
  await before.close()
  assert.deepEqual(await problemsOf(path), [])
  assert.equal(gunzipSync(await readFile(path)).length % 512, 0)
  const names = JSON.parse(Buffer.from(await reader.readFile('artifacts/layout/index.json', 1e6)).toString())
  assert.equal(names.manifests.length, 4)
})

test('an append that was interrupted leaves the archive as it was, and the next one completes', async () => {
  const { path } = await packed('torn')
  const size = (await stat(path)).size
  const torn = fresh()
  await copyFile(path, torn)
  const handle = await open(torn, 'a')
  await handle.write(seededBytes('garbage', 5000))
  await handle.close()
  const reader = await ArchiveReader.open(torn)
  assert.equal(reader.pointer.archiveSizeBytes, size)
  await reader.close()
  assert.match((await problemsOf(torn))[0]!.problem!.why, /5000 bytes follow/)
  const source = new MemoryStore()
  const more = await putImage(source, 'more', [10])
  await using writer = await ArchiveWriter.append(torn)
  await copy(more, source, writer.repository('example.com/more'), { tags: ['1'] })
  assert.deepEqual(await problemsOf(torn), [])
})

test('a flipped bit anywhere is found', async () => {
  const source = new MemoryStore()
  const root = await putImage(source, 'bits', [700, 70_000])
  const path = fresh()
  {
    await using writer = new ArchiveWriter(path)
    await copy(root, source, writer.repository('a.example/b'), { tags: ['1'] })
  }
  {
    await using writer = await ArchiveWriter.append(path)
    const more = await putImage(source, 'bits2', [10])
    await copy(more, source, writer.repository('a.example/c'), { tags: ['1'] })
  }
  const whole = await readFile(path)
  assert.deepEqual(await problemsOf(path), [])
  const damaged = fresh()
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length * 8 - 1), async (bit) => {
      const copyOf = Buffer.from(whole)
      copyOf[bit >> 3]! ^= 1 << (bit & 7)
      await writeFile(damaged, copyOf)
      const found = await problemsOf(damaged).then(
        (problems) => problems.length > 0,
        (error: { code?: string }) => /^(ARCHIVE|JSON|DIGEST|CONTENT)_/.test(error.code ?? ''),
      )
      assert.ok(found, `bit ${bit} of ${whole.length * 8}`)
    }),
    { numRuns: 300 },
  )
})

test('an archive that is cut off is told as that, with what it should have', async () => {
  const { path } = await packed('cut')
  const { size } = await stat(path)
  for (const left of [size - 1, Math.floor(size / 2), 200]) {
    await truncate(path, left)
    await assert.rejects(ArchiveReader.open(path), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'ARCHIVE_INVALID')
      assert.match(error.message, new RegExp(`should have ${size} bytes, but has ${left}`))
      return true
    })
  }
  await truncate(path, 50)
  await assert.rejects(ArchiveReader.open(path), { code: 'ARCHIVE_INVALID' })
})

test('free space is asked for before the first byte', async () => {
  const source = new MemoryStore()
  const root = await putImage(source, 'full', [1000])
  const path = fresh()
  await using writer = new ArchiveWriter(path, { fs: { ...nodeFileSystem, freeBytes: async () => 100 } })
  await assert.rejects(copy(root, source, writer.repository('a.example/b')), { code: 'DISK_FULL' })
  await assert.rejects(stat(`${path}.partial`), { code: 'ENOENT' })
})

test('places are those of the bytes that are written, for any path and size', () => {
  const path = fc
    .array(fc.constantFrom('a', 'bc', 'x'.repeat(70)), { minLength: 1, maxLength: 6 })
    .map((p) => p.join('/'))
  fc.assert(
    fc.property(path, fc.nat(200_000), (name, size) => {
      const member = wholeMember(name, Buffer.alloc(size, 7))
      const place = placeMember(name, size, 0)
      assert.equal(member.length, place.end)
      if (size > 0) assert.equal(member[positionOf(place.contentOffset, size - 1)], 7)
      assert.equal(gunzipSync(member).length % 512, 0)
    }),
    { numRuns: 50 },
  )
  assert.ok(placeMember('huge', 9 * 2 ** 30, 0).contentOffset > placeMember('huge', 9, 0).contentOffset)
})

test('hostile indexes and pointers are refused with a code', () => {
  const good = { generation: 0, files: [], blobs: [], absent: [] }
  const entry = { digest: digestOf(Buffer.from('x')), size: 1, offset: 0, mediaType: 'a/b' }
  const parse = (value: object) => parseIndex(Buffer.from(JSON.stringify(value)), 100)
  assert.deepEqual(parseIndex(formatIndex(good), 100), good)
  const body = { formatVersion: 1, requires: [], ...good }
  const refusals: [object, string][] = [
    [{ ...body, formatVersion: 2 }, 'ARCHIVE_NEWER'],
    [{ ...body, requires: ['volumes'] }, 'ARCHIVE_NEWER'],
    [{ ...body, blobs: [{ ...entry, offset: 100 }] }, 'ARCHIVE_INVALID'],
    [{ ...body, blobs: [{ ...entry, size: -1 }] }, 'ARCHIVE_INVALID'],
    [{ ...body, blobs: [entry, entry] }, 'ARCHIVE_INVALID'],
    [{ ...body, blobs: [{ ...entry, digest: 'sha256:zz' }] }, 'ARCHIVE_INVALID'],
    [{ ...body, files: [{ ...entry, path: '../../etc/passwd' }] }, 'ARCHIVE_INVALID'],
    [{ ...body, files: [{ ...entry, path: '/etc/passwd' }] }, 'ARCHIVE_INVALID'],
    [{ ...body, absent: ['x'] }, 'ARCHIVE_INVALID'],
    [[], 'ARCHIVE_INVALID'],
  ]
  for (const [value, code] of refusals) assert.throws(() => parse(value), { code }, JSON.stringify(value))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.doesNotThrow(() => decodePointer(bytes))
    }),
  )
})
