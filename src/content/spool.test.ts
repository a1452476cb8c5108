import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { nodeFileSystem } from '#base/index.ts'
import { seededBytes } from '../../test/support/random-image.ts'
import { memoryFile } from '../../test/support/tar-file.ts'
import { type Compression, compressionOf, type SpoolOptions, spool } from './spool.ts'

let temporaryDirectory = ''
before(async () => {
  temporaryDirectory = await mkdtemp(join(tmpdir(), 'sealift-spools-'))
})
after(() => rm(temporaryDirectory, { recursive: true }))

const content = Buffer.concat([seededBytes('spool', 300_000), Buffer.alloc(300_000)])
const codecs = {
  gzip: (bytes: Uint8Array) => gzipSync(bytes),
  zstd: (bytes: Uint8Array) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
} as const

async function spooled(
  bytes: Uint8Array,
  compression: Compression,
  options: SpoolOptions = {},
): Promise<Buffer> {
  const file = await spool(memoryFile(bytes), compression, { temporaryDirectory, ...options })
  try {
    const whole = Buffer.alloc(await file.size())
    await file.read(whole, 0)
    return whole
  } finally {
    await file.close()
  }
}

for (const compression of ['gzip', 'zstd'] as const) {
  const pack = codecs[compression]

  test(`${compression}: one member or many unpack to the same, and leave no file`, async () => {
    const packed = pack(content)
    assert.equal(compressionOf(packed), compression)
    assert.ok(content.equals(await spooled(packed, compression)))
    const several = Buffer.concat(
      [0, 100_000, 350_000].map((from, at, all) => pack(content.subarray(from, all[at + 1]))),
    )
    const file = await spool(memoryFile(several), compression, { temporaryDirectory })
    assert.deepEqual(await readdir(temporaryDirectory), [], 'the spool has no name while it is open')
    await file.close()
    assert.ok(content.equals(await spooled(several, compression)))
  })

  test(`${compression}: what is damaged, cut off or followed by something is refused`, async () => {
    const packed = pack(content)
    const damaged = Buffer.from(packed)
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 2) ^ 1, damaged.length - 2)
    const cases: [what: string, bytes: Uint8Array][] = [
      ['damaged', damaged],
      ['cut off', packed.subarray(0, -1)],
      ['cut off in a second member', Buffer.concat([packed, packed.subarray(0, 6)])],
      ['followed by words', Buffer.concat([packed, Buffer.from('words')])],
      ['followed by zeros', Buffer.concat([packed, Buffer.alloc(512)])],
    ]
    for (const [what, bytes] of cases) {
      await assert.rejects(spooled(bytes, compression), { code: 'ARCHIVE_INVALID' }, what)
    }
    assert.deepEqual(await readdir(temporaryDirectory), [])
  })

  test(`${compression}: unpacks to so many times its size, and not one byte more`, async () => {
    const packed = pack(content)
    const at = (inflationRatio: number) => spooled(packed, compression, { limits: { inflationRatio } })
    const ratio = content.length / packed.length
    assert.equal((await at(ratio)).length, content.length)
    await assert.rejects(at((content.length - 1) / packed.length), { code: 'ARCHIVE_HOSTILE' })
    assert.deepEqual(await readdir(temporaryDirectory), [])
  })
}

test('a bomb is given up early', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))
  await assert.rejects(spooled(bomb, 'zstd'), { code: 'ARCHIVE_HOSTILE' })
})

test('takes no more of the disk than was free', async () => {
  const packed = gzipSync(content)
  const free = (sizeBytes: number) => ({ fs: { ...nodeFileSystem, freeBytes: async () => sizeBytes } })
  assert.equal((await spooled(packed, 'gzip', free(content.length))).length, content.length)
  await assert.rejects(spooled(packed, 'gzip', free(content.length - 1)), { code: 'DISK_FULL' })
  assert.deepEqual(await readdir(temporaryDirectory), [])
})

test('stops when it is told to', async () => {
  const stopping = new AbortController()
  const slow = {
    size: async () => 1000,
    read: async () => {
      stopping.abort(new Error('enough'))
      return 0
    },
  }
  await assert.rejects(spool(slow, 'gzip', { temporaryDirectory, signal: stopping.signal }), {
    message: 'enough',
  })
  assert.deepEqual(await readdir(temporaryDirectory), [])
})

test('only its first bytes tell how a file is compressed', () => {
  assert.equal(compressionOf(Buffer.from([0x50, 0x2a, 0x4d, 0x18])), 'zstd')
  for (const head of [[], [0x1f], [0x28, 0xb5, 0x2f], [1, 2, 3, 4]]) {
    assert.equal(compressionOf(Buffer.from(head)), undefined)
  }
})
