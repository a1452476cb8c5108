import { limits } from '#base/index.ts'
import { type CheckpointTrust, verifyCheckpoint } from './checkpoint.ts'
import { failure } from './codes.ts'
import { isEqual } from './hash.ts'
import type { Tree } from './proof.ts'
import type { LogReader, TileStore } from './types.ts'
import { type LogState, VerifiedReader } from './verified-reader.ts'
import { type TileCache, VerifiedTree } from './verified-tree.ts'

export interface ReadLogOptions extends CheckpointTrust {
  /** Where the log lies: `directoryTiles`, or anything that gives what stands at a path. */
  readonly store: TileStore
  /** The newest state that was seen before: what is told now must continue it. */
  readonly remembered?: Tree
}

/**
 * Reads a log that somebody else writes, and believes only what a signed checkpoint covers. Each checkpoint must
 * continue the one seen before it (LOG_ROLLED_BACK, LOG_FORKED), also across runs where `remembered` is given.
 */
export function readLog(options: ReadLogOptions): LogReader {
  return new ForeignLog(options)
}

class ForeignLog extends VerifiedReader {
  readonly #options: ReadLogOptions
  readonly #cache: TileCache = new Map()
  #remembered: Tree | undefined
  #state: LogState | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: ReadLogOptions) {
    super()
    this.#options = options
    this.#remembered = options.remembered
  }

  // One after the other: what one look has seen, the next one must continue.
  protected override newest(): Promise<LogState> {
    const look = this.#turn.then(() => this.#look())
    this.#turn = look.catch(() => undefined)
    return look
  }

  protected override async atLeast(size: number): Promise<LogState> {
    const state = this.#state
    return state && state.tree.size >= size ? state : this.newest()
  }

  async #look(): Promise<LogState> {
    const { store } = this.#options
    const note = await readCheckpointNote(store)
    if (!note) throw failure('LOG_NOT_FOUND', `there is no log of ${this.#options.origin} here`)
    const checkpoint = verifyCheckpoint(note, this.#options)
    const tree = new VerifiedTree(store, checkpoint, this.#cache)
    const old = this.#remembered
    if (old) await assertContinues(tree, old)
    this.#remembered = checkpoint
    this.#state =
      old && this.#state && old.size === tree.size
        ? { checkpoint, tree: this.#state.tree }
        : { checkpoint, tree }
    return this.#state
  }
}

/** The note at `checkpoint`; undefined where there is none. */
export function readCheckpointNote(store: TileStore): Promise<Uint8Array | undefined> {
  // One byte more than is allowed, so that what is too long is seen to be.
  return store.read('checkpoint', limits.noteBytes + 1)
}

/** @throws LOG_ROLLED_BACK, LOG_FORKED, LOG_TILE_INVALID */
export async function assertContinues(tree: VerifiedTree, old: Tree): Promise<void> {
  if (tree.size < old.size) {
    throw failure('LOG_ROLLED_BACK', `the log had ${old.size} entries, and now tells of ${tree.size}`)
  }
  const root = tree.size === old.size ? tree.root : await tree.rootAt(old.size)
  if (!isEqual(root, old.root)) {
    throw failure(
      'LOG_FORKED',
      `the log of ${tree.size} entries does not begin with the ${old.size} seen before`,
    )
  }
}
