import { type DirectoryLock, type FileSystem, limits, lockDirectory, nodeFileSystem } from '#base/index.ts'
import { formatCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { failure } from './codes.ts'
import { askCosigners } from './cosigners.ts'
import {
  edgeRoot,
  extend,
  type FilledTile,
  grownBundles,
  grownTiles,
  loadEdge,
  loadTail,
  type RightEdge,
} from './edge.ts'
import { GroupCommit } from './group-commit.ts'
import { emptyRoot } from './hash.ts'
import { signNote } from './note.ts'
import { type NoteKey, noteVerifier } from './note-key.ts'
import { assertContinues, readCheckpointNote } from './read-log.ts'
import { DirectoryTiles } from './tile-store.ts'
import { type Tile, tileWidth } from './tiles.ts'
import type { Appended, Checkpoint, Cosigner, Log, NoteSigner, NoteVerifier } from './types.ts'
import { type LogState, VerifiedReader } from './verified-reader.ts'
import { type TileCache, VerifiedTree } from './verified-tree.ts'

/** Whose log it is, and who signs for it. */
export interface LogIdentity {
  /** The first line of every checkpoint: should be like a URL without its scheme, `example.com/log`. */
  readonly origin: string
  /** Signs the checkpoints (`noteSigner`); its name should be the origin. */
  readonly signer: NoteSigner & NoteKey
  /** Keys that have signed checkpoints of this log before, where the key has changed. */
  readonly verifiers?: readonly NoteVerifier[]
  /** Witnesses that are asked to cosign every checkpoint before it is published. */
  readonly cosigners?: readonly Cosigner[]
  /** How many of them must do so, or the append fails; all of them where it is not said. */
  readonly quorum?: number
}

export interface OpenLogOptions extends LogIdentity {
  readonly directory: string
  readonly fs?: FileSystem
  /**
   * How long to wait for another writer to end; 30 seconds where it is not said, which is longer than a writer that
   * died in another container can block a log (20 seconds).
   */
  readonly waitMs?: number
  readonly signal?: AbortSignal
}

const pendingPath = '.checkpoint.pending'

/**
 * Opens a log in a folder for writing, or makes it there: the files are those of C2SP tlog-tiles, and any web server
 * can serve them. There is one writer; what is at the right edge is verified against the checkpoint. Dispose of it
 * to let others write.
 *
 * @throws LOG_BUSY, LOG_TILE_INVALID, LOG_ORIGIN_WRONG, LOG_ROLLED_BACK where the checkpoint was taken away, and what
 *   `verifyCheckpoint` throws
 */
export async function openLog(options: OpenLogOptions): Promise<FolderLog> {
  const { directory, fs = nodeFileSystem, waitMs = 30_000, signal } = options
  await fs.makeDirectory(directory)
  const lock = async (): Promise<DirectoryLock> => {
    const held = await lockDirectory(fs, directory, { waitMs, signal })
    if (!held) throw failure('LOG_BUSY', `another process writes to the log in ${directory}`)
    return held
  }
  const log = new DirectoryLog(options, new DirectoryTiles(directory, fs), lock)
  await log.take()
  return log
}

/** A log that can be left to other writers for a while, and gone on with cheaply where none of them came. */
export interface FolderLog extends Log {
  /** Lets others write, when what waits to be appended is written; until `take`, an append fails with LOG_CLOSED. */
  rest(): Promise<void>
  /** Takes the log again, which must continue what was here. @throws as `openLog`; LOG_FORKED */
  take(): Promise<void>
}

/** What the next commit goes on from; the tree may be ahead of the checkpoint where a cosignature is still wanted. */
interface Head extends LogState {
  readonly edge: RightEdge
  /** The entries of the last bundle, while it is not full. */
  readonly tail: readonly Uint8Array[]
}

class DirectoryLog extends VerifiedReader implements FolderLog {
  readonly #options: LogIdentity
  readonly #store: DirectoryTiles
  readonly #takeLock: () => Promise<DirectoryLock>
  readonly #trust: readonly NoteVerifier[]
  readonly #cache: TileCache = new Map()
  readonly #group = new GroupCommit((entries) => this.#inTurn(() => this.#commit(entries)))
  readonly #witnessed = new Map<Cosigner, number>()
  #state: LogState | undefined
  /** Undefined after a failure: what is on the disk then has to be looked at again. */
  #head: Head | undefined
  #filled: Tile[] = []
  /** Undefined while the log rests. */
  #lock: DirectoryLock | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: LogIdentity, store: DirectoryTiles, lock: () => Promise<DirectoryLock>) {
    super()
    this.#options = options
    this.#store = store
    this.#takeLock = lock
    this.#trust = [noteVerifier(options.signer), ...(options.verifiers ?? [])]
  }

  append(entry: Uint8Array): Promise<Appended> {
    return this.#group.append(entry)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#group.close()
    await this.rest()
  }

  async rest(): Promise<void> {
    await this.#group.settled()
    return this.#inTurn(async () => {
      const lock = this.#lock
      if (!lock) return
      try {
        // Where the lock was lost, another writer may be at these tiles.
        if (await lock.isHeld()) await this.#prune()
      } finally {
        this.#lock = undefined
        await lock.release()
      }
    })
  }

  take(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#lock) return
      const lock = await this.#takeLock()
      try {
        if (!(await this.#isUnchanged())) this.#head = await this.#reload()
        this.#lock = lock
      } catch (error) {
        await lock.release().catch(() => undefined)
        throw error
      }
    })
  }

  /** One after the other: commits, and giving the lock to others. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act)
    this.#turn = done.catch(() => undefined)
    return done
  }

  /** Whether the head is still the one that we left. */
  async #isUnchanged(): Promise<boolean> {
    if (!this.#head || this.#head.checkpoint.note !== this.#state?.checkpoint.note) return false
    const [note, pending] = await Promise.all([
      readCheckpointNote(this.#store),
      this.#store.read(pendingPath, 1),
    ])
    return !pending && note !== undefined && Buffer.from(note).toString() === this.#head.checkpoint.note
  }

  async #reload(): Promise<Head> {
    const old = this.#state
    // What others cleared away meanwhile is theirs.
    this.#filled = []
    try {
      const head = await this.#load()
      if (old && this.#state) await assertContinues(this.#state.tree, old.checkpoint)
      return head
    } catch (error) {
      this.#state = old
      this.#head = undefined
      throw error
    }
  }

  protected override async newest(): Promise<LogState> {
    return this.#state!
  }

  protected override async atLeast(): Promise<LogState> {
    return this.#state!
  }

  async #commit(entries: readonly Uint8Array[]): Promise<{ first: number; checkpoint: Checkpoint }> {
    if (!this.#lock) throw failure('LOG_CLOSED', 'the log rests: others may write to it')
    const head = this.#head ?? (await this.#load())
    // Until it has gone well nobody knows what is on the disk.
    this.#head = undefined
    await this.#prune()
    const { size } = head.edge
    const growth = extend(head.edge, entries)
    const bundles = grownBundles(size, head.tail, entries)
    const tiles = grownTiles(head.edge, growth)
    const state = await this.#publish(growth.edge, [...bundles, ...tiles])
    const rest = growth.edge.size % tileWidth
    const tail = rest === 0 ? [] : [...head.tail, ...entries].slice(-rest)
    this.#head = { ...state, edge: growth.edge, tail }
    // Only a tile that was there in part before can have left partial ones.
    this.#filled = [...bundles, ...tiles].filter(
      ({ level, index, width }) =>
        width === tileWidth &&
        (level === 'entries' ? head.tail.length > 0 : (head.edge.tails[level]?.length ?? 0) > 0) &&
        index === Math.floor(size / tileWidth ** (level === 'entries' ? 1 : level + 1)),
    )
    return { first: size, checkpoint: state.checkpoint }
  }

  /** Signs and publishes the tree, once its tiles are durable. */
  async #publish(edge: RightEdge, tiles: readonly FilledTile[]): Promise<LogState> {
    const { origin, signer, cosigners = [], quorum = cosigners.length } = this.#options
    const tree = { size: edge.size, root: edgeRoot(edge) }
    const verified = new VerifiedTree(this.#store, tree, this.#cache, edge)
    let note = await signNote(formatCheckpoint({ origin, ...tree }), [signer])
    await this.#assertHeld()
    if (cosigners.length === 0) {
      const place = await this.#store.write(tiles, { path: 'checkpoint', text: note })
      await this.#assertHeld()
      await place()
    } else {
      await this.#store.write(tiles)
      // A witness never forgets what it has cosigned: whatever happens from here on, the log must go on from there.
      await this.#assertHeld()
      await this.#store.replace(pendingPath, note)
      note += await askCosigners(cosigners, quorum, note, verified, this.#witnessed)
      await this.#assertHeld()
      await this.#store.replace('checkpoint', note)
    }
    this.#state = { checkpoint: { origin, ...tree, note }, tree: verified }
    return this.#state
  }

  async #load(): Promise<Head> {
    const note = await readCheckpointNote(this.#store)
    const state = note ? this.#verified(note) : await this.#create()
    const edge = await loadEdge(this.#store, state.checkpoint)
    this.#state = state
    const pending = await this.#store.read(pendingPath, limits.noteBytes + 1)
    const ahead = pending && this.#verified(pending)
    if (!ahead || ahead.checkpoint.size <= state.checkpoint.size) {
      return { ...state, edge, tail: await loadTail(this.#store, edge) }
    }
    await assertContinues(ahead.tree, state.checkpoint)
    const aheadEdge = await loadEdge(this.#store, ahead.checkpoint)
    return { ...ahead, edge: aheadEdge, tail: await loadTail(this.#store, aheadEdge) }
  }

  #verified(note: Uint8Array): LogState {
    const trust = { origin: this.#options.origin, verifiers: this.#trust }
    const checkpoint = verifyCheckpoint(note, trust)
    return { checkpoint, tree: new VerifiedTree(this.#store, checkpoint, this.#cache) }
  }

  /** The checkpoint of the empty log is written before any tile: a log without one was tampered with. */
  async #create(): Promise<LogState> {
    if (!(await this.#store.isEmpty())) {
      throw failure('LOG_ROLLED_BACK', 'there are tiles of a log, and its checkpoint is gone')
    }
    const { origin, signer } = this.#options
    const tree = { size: 0, root: emptyRoot }
    const note = await signNote(formatCheckpoint({ origin, ...tree }), [signer])
    await this.#store.replace('checkpoint', note)
    return { checkpoint: { origin, ...tree, note }, tree: new VerifiedTree(this.#store, tree, this.#cache) }
  }

  async #assertHeld(): Promise<void> {
    if (!(await this.#lock?.isHeld())) {
      throw failure('LOG_CLOSED', 'the lock of the log was lost: this process stood still for too long')
    }
  }

  async #prune(): Promise<void> {
    for (const tile of this.#filled.splice(0)) await this.#store.removePartial(tile)
  }
}
