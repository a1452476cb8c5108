import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type FileSystem, isFailure, nodeFileSystem } from '#base/index.ts'
import { leafHash } from './hash.ts'
import { noteSigner, noteVerifier } from './note-key.ts'
import { openLog } from './open-log.ts'
import { verifyConsistency, verifyInclusion } from './proof.ts'
import { readLog } from './read-log.ts'
import { directoryTiles } from './tile-store.ts'
import type { Checkpoint, LogReader } from './types.ts'

const origin = 'log.example/audit'
const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
const trust = { origin, verifiers: [noteVerifier(signer)] }
const entry = (at: number) => Buffer.from(`entry ${at}`)
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sealift-log-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

const reader = (directory: string, remembered?: Checkpoint): LogReader =>
  readLog({ ...trust, store: directoryTiles(directory, nodeFileSystem), ...(remembered && { remembered }) })

/** Every entry, every inclusion, and the consistency from every state of `sizes`. */
async function assertWhole(log: LogReader, count: number, sizes: readonly Checkpoint[]): Promise<void> {
  const last = await log.checkpoint()
  assert.equal(last.size, count)
  let read = 0
  for await (const { index, bytes } of log.entries(0)) {
    assert.equal(index, read++)
    assert.deepEqual(Buffer.from(bytes), entry(index))
  }
  assert.equal(read, count)
  for (let index = 0; index < count; index += Math.max(1, Math.floor(count / 50))) {
    verifyInclusion(leafHash(entry(index)), index, last, await log.inclusionProof(index, count))
    assert.deepEqual(Buffer.from(await log.entry(index)), entry(index))
  }
  for (const old of sizes) verifyConsistency(old, last, await log.consistencyProof(old.size, count))
}

test('a log grows over many openings, and others can read it', async (t) => {
  const directory = await folder(t)
  const states: Checkpoint[] = []
  let count = 0
  for (const more of [0, 1, 2, 252, 1, 1, 300, 254, 512, 1, 200]) {
    await using log = await openLog({ directory, origin, signer })
    const first = count
    const added = await Promise.all(Array.from({ length: more }, (_, at) => log.append(entry(first + at))))
    added.forEach(({ index, checkpoint }, at) => {
      assert.equal(index, first + at)
      assert.ok(checkpoint.size > index, 'the checkpoint covers the entry')
    })
    count += more
    states.push(await log.checkpoint())
    await assertWhole(log, count, states)
    await assertWhole(reader(directory, states.at(-2)), count, states)
  }
})

test('entries that wait are committed together, in the order they came', async (t) => {
  const directory = await folder(t)
  await using log = await openLog({ directory, origin, signer })
  const added = await Promise.all(Array.from({ length: 5000 }, (_, at) => log.append(entry(at))))
  assert.ok(new Set(added.map(({ checkpoint }) => checkpoint.size)).size <= 3, 'few commits for many entries')
  await assertWhole(log, 5000, [])
})

test('the files are those of tlog-tiles, and partial tiles go when the full one is there', async (t) => {
  const directory = await folder(t)
  {
    await using log = await openLog({ directory, origin, signer })
    for (let at = 0; at < 3; at++) await log.append(entry(at))
    assert.deepEqual(await readdir(join(directory, 'tile/0/000.p')), ['1', '2', '3'])
    assert.deepEqual(await readdir(join(directory, 'tile/entries/000.p')), ['1', '2', '3'])
    for (let at = 3; at < 255; at += 84) {
      await Promise.all(Array.from({ length: 84 }, (_, more) => log.append(entry(at + more))))
    }
    await log.append(entry(255))
    await log.append(entry(256))
  }
  assert.deepEqual((await readdir(directory)).sort(), ['checkpoint', 'tile'])
  assert.deepEqual((await readdir(join(directory, 'tile/0'))).sort(), ['000', '001.p'])
  assert.deepEqual(await readdir(join(directory, 'tile/1/000.p')), ['1'])
  assert.equal((await readFile(join(directory, 'tile/0/000'))).length, 256 * 32)
  const bundle = await readFile(join(directory, 'tile/entries/001.p/1'))
  assert.deepEqual(bundle, Buffer.concat([Buffer.of(0, 9), entry(256)]))
  await assertWhole(reader(directory), 257, [])
})

test('an entry has at most 65535 bytes', async (t) => {
  await using log = await openLog({ directory: await folder(t), origin, signer })
  const largest = Buffer.alloc(65_535, 7)
  assert.equal((await log.append(largest)).index, 0)
  assert.equal((await log.append(new Uint8Array(0))).index, 1)
  await assert.rejects(log.append(Buffer.alloc(65_536)), failsWith('LOG_ENTRY_TOO_LARGE'))
  assert.deepEqual(Buffer.from(await log.entry(0)), largest)
  assert.equal((await log.entry(1)).length, 0)
  for (const index of [-1, 2, 0.5, Number.NaN]) {
    await assert.rejects(log.entry(index), failsWith('LOG_ENTRY_MISSING'))
    await assert.rejects(log.inclusionProof(index, 2), failsWith('LOG_ENTRY_MISSING'))
    await assert.rejects(log.consistencyProof(index, 1), failsWith('LOG_ENTRY_MISSING'))
  }
  await assert.rejects(log.inclusionProof(0, 3), failsWith('LOG_ENTRY_MISSING'))
  await assert.rejects(Array.fromAsync(log.entries(0, 3)), failsWith('LOG_ENTRY_MISSING'))
})

test('there is one writer at a time', async (t) => {
  const directory = await folder(t)
  const first = await openLog({ directory, origin, signer })
  const lateness = openLog({ directory, origin, signer, waitMs: 20 })
  await assert.rejects(lateness, failsWith('LOG_BUSY'))
  const patient = openLog({ directory, origin, signer })
  await first.append(entry(0))
  await first[Symbol.asyncDispose]()
  await assert.rejects(first.append(entry(1)), failsWith('LOG_CLOSED'))
  await using second = await patient
  assert.equal((await second.append(entry(1))).index, 1)
})

test('a writer that lost its lock writes nothing more', async (t) => {
  const directory = await folder(t)
  const log = await openLog({ directory, origin, signer })
  await log.append(entry(0))
  await rm(join(directory, 'lock'), { recursive: true })
  await assert.rejects(log.append(entry(1)), failsWith('LOG_CLOSED'))
  await log[Symbol.asyncDispose]()
  assert.equal((await reader(directory).checkpoint()).size, 1)
})

test('a log whose key has changed is opened with the old one named', async (t) => {
  const directory = await folder(t)
  await (await openLog({ directory, origin, signer }))[Symbol.asyncDispose]()
  const next = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
  await assert.rejects(openLog({ directory, origin, signer: next }), failsWith('NOTE_KEY_UNKNOWN'))
  await using log = await openLog({ directory, origin, signer: next, verifiers: trust.verifiers })
  await log.append(entry(0))
  const known = { ...trust, verifiers: [noteVerifier(next)] }
  const foreign = readLog({ ...known, store: directoryTiles(directory, nodeFileSystem) })
  assert.equal((await foreign.checkpoint()).size, 1)
})

test('a log is not opened under another name, nor without its checkpoint, nor damaged', async (t) => {
  const directory = await folder(t)
  const open = async () => (await openLog({ directory, origin, signer }))[Symbol.asyncDispose]()
  {
    await using log = await openLog({ directory, origin, signer })
    for (let at = 0; at < 3; at++) await log.append(entry(at))
  }
  await assert.rejects(
    openLog({ directory, origin: 'log.example/other', signer }),
    failsWith('LOG_ORIGIN_WRONG'),
  )
  const spoil = async (path: string, bytes: Uint8Array, code: string) => {
    const whole = await readFile(join(directory, path))
    await writeFile(join(directory, path), bytes)
    await assert.rejects(open(), failsWith(code), path)
    await writeFile(join(directory, path), whole)
    await open()
  }
  const tile = await readFile(join(directory, 'tile/0/000.p/3'))
  await spoil('tile/0/000.p/3', tile.subarray(0, 95), 'LOG_TILE_INVALID')
  await spoil('tile/0/000.p/3', tile.with(50, tile[50]! ^ 1), 'LOG_TILE_INVALID')
  const bundle = await readFile(join(directory, 'tile/entries/000.p/3'))
  await spoil('tile/entries/000.p/3', bundle.subarray(0, -1), 'LOG_TILE_INVALID')
  await spoil('tile/entries/000.p/3', bundle.with(4, 0x45), 'LOG_TILE_INVALID')
  await spoil('checkpoint', Buffer.from('nothing\n'), 'NOTE_INVALID')
  await rm(join(directory, 'tile/0/000.p/3'))
  await assert.rejects(open(), failsWith('LOG_TILE_INVALID'))
  await rm(join(directory, 'checkpoint'))
  await assert.rejects(open(), failsWith('LOG_ROLLED_BACK'))
})

test('a log that failed to write goes on by itself', async (t) => {
  const directory = await folder(t)
  let isFull = false
  const fs: FileSystem = {
    ...nodeFileSystem,
    async open(path, mode) {
      if (isFull && path.includes('tile/0')) throw new Error('full')
      return nodeFileSystem.open(path, mode)
    },
  }
  await using log = await openLog({ directory, fs, origin, signer })
  await log.append(entry(0))
  isFull = true
  await assert.rejects(log.append(Buffer.from('lost')), /full/)
  isFull = false
  assert.equal((await log.append(entry(1))).index, 1)
  await assertWhole(log, 2, [])
})
