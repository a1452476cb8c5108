import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import type { FileSystem } from '#base/index.ts'
import { crashEverywhere, fillEverywhere, type Undertaking } from '../../test/support/crash-everywhere.ts'
import type { PowerCutFileSystem } from '../../test/support/power-cut-file-system.ts'
import { noteSigner, noteVerifier } from './note-key.ts'
import { openLog } from './open-log.ts'
import { readLog } from './read-log.ts'
import { directoryTiles } from './tile-store.ts'
import type { Checkpoint, Log } from './types.ts'
import { openWitness } from './witness.ts'

const origin = 'log.example/audit'
const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
const trust = { origin, verifiers: [noteVerifier(signer)] }
const directory = '/log'

const reader = (fs: FileSystem) => readLog({ ...trust, store: directoryTiles(directory, fs) })

/** Appends in groups of `sizes`, and remembers what was acknowledged. */
class Appending implements Undertaking {
  readonly #sizes: readonly number[]
  readonly #open: (fs: FileSystem) => Promise<Log>
  readonly #before: number
  #acknowledged = new Map<number, string>()
  #last: Checkpoint | undefined
  #count = 0

  constructor(sizes: readonly number[], open: (fs: FileSystem) => Promise<Log>, before = 0) {
    this.#sizes = sizes
    this.#open = open
    this.#before = before
  }

  async before(fs: PowerCutFileSystem): Promise<void> {
    this.#acknowledged = new Map()
    this.#last = undefined
    await using log = await this.#open(fs)
    if (this.#before > 0) await this.#append(log, this.#before)
  }

  async run(fs: PowerCutFileSystem): Promise<void> {
    const log = await this.#open(fs)
    try {
      for (const size of this.#sizes) await this.#append(log, size)
    } finally {
      // The disk may be dead: the lock is released in any case.
      await Promise.resolve(log[Symbol.asyncDispose]()).catch((error: unknown) => {
        if (!fs.hasCrashed) throw error
      })
    }
  }

  async check(fs: PowerCutFileSystem): Promise<void> {
    const log = reader(fs)
    const found: string[] = []
    for await (const { bytes } of log.entries(0)) found.push(Buffer.from(bytes).toString())
    for (const [index, text] of this.#acknowledged) assert.equal(found[index], text, `entry ${index}`)
    assert.equal(new Set(found).size, found.length, 'no entry stands there twice')
    // Whoever has seen a checkpoint must find it continued.
    if (this.#last) {
      const remembered = this.#last
      await readLog({ ...trust, store: directoryTiles(directory, fs), remembered }).checkpoint()
    }
  }

  async #append(log: Log, size: number): Promise<void> {
    const entries = Array.from({ length: size }, () => `entry ${this.#count++}`)
    const appended = await Promise.allSettled(entries.map((entry) => log.append(Buffer.from(entry))))
    appended.forEach((result, at) => {
      if (result.status === 'rejected') return
      this.#acknowledged.set(result.value.index, entries[at]!)
      this.#last = result.value.checkpoint
    })
    const failed = appended.find(({ status }) => status === 'rejected')
    if (failed) throw (failed as PromiseRejectedResult).reason
  }
}

const plainly = (fs: FileSystem) => openLog({ directory, fs, origin, signer })

test('a crash at any moment loses nothing that was acknowledged', async () => {
  const { points } = await crashEverywhere(new Appending([1, 2, 1], plainly), { seed: 1 })
  assert.ok(points > 30, `${points} points`)
})

test('nor where tiles become full and partial ones are removed', async () => {
  await crashEverywhere(new Appending([1, 1, 255, 1], plainly, 254), { seed: 2, points: 20 })
})

test('nor where a witness remembers more than was published', async () => {
  const key = generateKeyPairSync('ed25519').privateKey
  const watched = (fs: FileSystem) => {
    const logs = new Map([[origin, trust.verifiers]])
    const witness = openWitness({ directory: '/witness', fs, name: 'witness.example/w', key, logs })
    return openLog({ directory, fs, origin, signer, cosigners: [witness] })
  }
  await crashEverywhere(new Appending([1, 2], watched), { seed: 3, points: 30 })
})

test('a full disk is told, and the log goes on when there is room', async () => {
  await fillEverywhere(new Appending([1, 1], plainly, 2), [0, 1, 40, 70, 100, 200, 300])
})
