import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { PowerCutFileSystem } from '../../test/support/power-cut-file-system.ts'
import { noteSigner, noteVerifier } from './note-key.ts'
import { openLog } from './open-log.ts'
import { readLog } from './read-log.ts'
import { directoryTiles } from './tile-store.ts'
import type { Checkpoint, TileStore } from './types.ts'

const origin = 'log.example/audit'
const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
const trust = { origin, verifiers: [noteVerifier(signer)] }
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

/** A log of so many entries, and what it said at each of the sizes. */
async function grown(
  sizes: readonly number[],
  name = 'entry',
): Promise<{ store: TileStore; states: Checkpoint[] }> {
  const fs = new PowerCutFileSystem()
  await using log = await openLog({ directory: '/log', fs, origin, signer })
  const states: Checkpoint[] = []
  for (let count = 0; states.length < sizes.length; states.push(await log.checkpoint())) {
    const more: Promise<unknown>[] = []
    for (; count < sizes[states.length]!; count++) more.push(log.append(Buffer.from(`${name} ${count}`)))
    await Promise.all(more)
  }
  return { store: directoryTiles('/log', fs), states }
}

/** The store with some of its files replaced. */
const replacing = (
  store: TileStore,
  files: Readonly<Record<string, string | Uint8Array | undefined>>,
): TileStore => ({
  async read(path, maxBytes) {
    if (!(path in files)) return store.read(path, maxBytes)
    const bytes = files[path]
    return typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
  },
})

test('there is no log where there is no checkpoint', async () => {
  const nothing: TileStore = { read: async () => undefined }
  await assert.rejects(readLog({ ...trust, store: nothing }).checkpoint(), failsWith('LOG_NOT_FOUND'))
})

test('an older checkpoint that is offered again is noticed', async () => {
  const { store, states } = await grown([3, 300])
  const files: Record<string, string> = {}
  const log = readLog({ ...trust, store: replacing(store, files) })
  assert.equal((await log.checkpoint()).size, 300)
  files.checkpoint = states[0]!.note
  await assert.rejects(log.checkpoint(), failsWith('LOG_ROLLED_BACK'))
  // Also by who starts anew and remembers.
  const again = readLog({ ...trust, store: replacing(store, files), remembered: states[1]! })
  await assert.rejects(again.checkpoint(), failsWith('LOG_ROLLED_BACK'))
  // And it goes on once the right one is back.
  files.checkpoint = states[1]!.note
  assert.equal((await log.checkpoint()).size, 300)
  assert.equal((await again.checkpoint()).size, 300)
})

test('a fork is noticed, at the same size and at a larger one', async () => {
  const honest = await grown([3, 258, 400])
  for (const sizes of [[258], [600]]) {
    const forked = await grown(sizes, 'other')
    for (const remembered of honest.states.slice(0, 2)) {
      const log = readLog({ ...trust, store: forked.store, remembered })
      await assert.rejects(log.checkpoint(), failsWith('LOG_FORKED'))
    }
  }
  for (const remembered of honest.states) {
    const log = readLog({ ...trust, store: honest.store, remembered })
    assert.equal((await log.checkpoint()).size, 400)
  }
})

test('tiles that are cut short, exchanged or absent are noticed wherever they lie', async () => {
  const { store } = await grown([70_000])
  const read = async (path: string) => (await store.read(path, 2 ** 24))!
  const spoil = async (path: string, bytes: Uint8Array | undefined, index: number) => {
    const log = readLog({ ...trust, store: replacing(store, { [path]: bytes }) })
    await assert.rejects(log.entry(index), failsWith('LOG_TILE_INVALID'), path)
  }
  for (const [path, index] of [
    ['tile/0/005', 1280],
    ['tile/1/000', 1280],
    ['tile/entries/005', 1281],
    ['tile/0/273.p/112', 69_999],
    ['tile/1/001.p/17', 69_999],
    ['tile/2/000.p/1', 0],
    ['tile/entries/273.p/112', 69_999],
  ] as const) {
    const bytes = await read(path)
    await spoil(path, undefined, index)
    await spoil(path, new Uint8Array(0), index)
    await spoil(path, bytes.subarray(0, -1), index)
    await spoil(path, Buffer.from(bytes).with(17, bytes[17]! ^ 1), index)
  }
  await spoil('tile/0/005', await read('tile/0/006'), 1280)
  await spoil('tile/entries/005', await read('tile/entries/006'), 1280)
  // A partial tile that has become a full one meanwhile is read from that.
  const fuller = Buffer.concat([await read('tile/0/273.p/112'), Buffer.alloc(144 * 32)])
  const log = readLog({
    ...trust,
    store: replacing(store, { 'tile/0/273.p/112': undefined, 'tile/0/273': fuller }),
  })
  assert.equal(Buffer.from(await log.entry(69_999)).toString(), 'entry 69999')
})

test('a checkpoint of a size that no store can hold is refused without reading for ever', async () => {
  const { store, states } = await grown([3])
  const root = Buffer.from(states[0]!.root).toString('base64')
  const { signNote } = await import('./note.ts')
  const note = await signNote(`${origin}\n${Number.MAX_SAFE_INTEGER}\n${root}\n`, [signer])
  const log = readLog({ ...trust, store: replacing(store, { checkpoint: note }) })
  assert.equal((await log.checkpoint()).size, Number.MAX_SAFE_INTEGER)
  await assert.rejects(log.entry(5), failsWith('LOG_TILE_INVALID'))
  await assert.rejects(log.inclusionProof(0, Number.MAX_SAFE_INTEGER), failsWith('LOG_TILE_INVALID'))
})

test('whatever is changed, no wrong entry is told', async () => {
  const { store } = await grown([300])
  const paths = [
    'tile/0/000',
    'tile/0/001.p/44',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/entries/001.p/44',
    'checkpoint',
  ]
  const content = new Map<string, Uint8Array>()
  for (const path of paths) content.set(path, (await store.read(path, 2 ** 24))!)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...paths),
      fc.nat(),
      fc.nat(255),
      fc.nat(299),
      async (path, at, byte, index) => {
        const bytes = content.get(path)!
        const changed = Uint8Array.from(bytes).with(at % bytes.length, byte)
        const log = readLog({ ...trust, store: replacing(store, { [path]: changed }) })
        try {
          assert.equal(Buffer.from(await log.entry(index)).toString(), `entry ${index}`)
        } catch (error) {
          if (!isFailure(error)) throw error
        }
      },
    ),
  )
})
