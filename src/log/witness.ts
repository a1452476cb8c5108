import { hash } from 'node:crypto'
import { join } from 'node:path'
import {
  type FileSystem,
  isFailure,
  limits,
  lockDirectory,
  nodeFileSystem,
  readUpTo,
  replaceFile,
} from '#base/index.ts'
import { parseCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { failure } from './codes.ts'
import { cosigner } from './cosignature.ts'
import { emptyRoot, isEqual } from './hash.ts'
import { formatSignature, parseNote } from './note.ts'
import type { NoteKey, SigningKey } from './note-key.ts'
import { type Tree, verifyConsistency } from './proof.ts'
import type { Checkpoint, Cosigner, CosignRequest, NoteVerifier } from './types.ts'

export interface WitnessOptions {
  /** Where the last checkpoint of each log is remembered. */
  readonly directory: string
  readonly fs?: FileSystem
  readonly name: string
  readonly key: SigningKey
  /** The logs to watch over: their keys by origin. */
  readonly logs: ReadonlyMap<string, readonly NoteVerifier[]>
  readonly now?: () => Date
}

/** Sees to it that each log has one history, and says so with its key (C2SP tlog-witness). */
export interface Witness extends Cosigner {
  /** What others verify its cosignatures with. */
  readonly key: NoteKey
  /** The newest checkpoint that it has cosigned. */
  last(origin: string): Promise<Checkpoint | undefined>
}

const waitMs = 10_000

/** A witness whose memory is a folder; several processes may share it. @throws NOTE_KEY_INVALID */
export function openWitness(options: WitnessOptions): Witness {
  const { name, key, now = () => new Date() } = options
  return new DirectoryWitness(options, cosigner(name, key, now))
}

class DirectoryWitness implements Witness {
  readonly name: string
  readonly key: NoteKey
  readonly #options: WitnessOptions
  readonly #fs: FileSystem
  readonly #signer: ReturnType<typeof cosigner>

  constructor(options: WitnessOptions, signer: ReturnType<typeof cosigner>) {
    this.name = signer.name
    this.key = signer
    this.#options = options
    this.#fs = options.fs ?? nodeFileSystem
    this.#signer = signer
  }

  async last(origin: string): Promise<Checkpoint | undefined> {
    let bytes: Uint8Array
    try {
      const file = await this.#fs.open(this.#pathOf(origin), 'read')
      bytes = await readUpTo(file, limits.noteBytes + 1).finally(() => file.close())
    } catch (error) {
      if (isFailure(error) && error.detail.errno === 'ENOENT') return undefined
      throw error
    }
    return parseCheckpoint(bytes)
  }

  async cosign(request: CosignRequest): Promise<string> {
    const { origin } = parseCheckpoint(request.checkpoint)
    const verifiers = this.#options.logs.get(origin)
    if (!verifiers) throw failure('WITNESS_UNKNOWN_LOG', `${this.name} does not watch over ${origin}`)
    const checkpoint = verifyCheckpoint(request.checkpoint, { origin, verifiers })
    // Looking and remembering must be one step (tlog-witness, the race at the end of add-checkpoint).
    await this.#fs.makeDirectory(this.#options.directory)
    const lock = await lockDirectory(this.#fs, this.#options.directory, { waitMs })
    if (!lock) throw failure('LOG_BUSY', `another process uses the memory of ${this.name}`)
    try {
      await this.#judge(checkpoint, request)
      await this.#remember(checkpoint)
    } finally {
      await lock.release()
    }
    const bytes = await this.#signer.sign(new TextEncoder().encode(parseNote(request.checkpoint).text))
    return formatSignature({ name: this.#signer.name, keyId: this.#signer.keyId, bytes })
  }

  async #judge(checkpoint: Checkpoint, { oldSize, proof }: CosignRequest): Promise<void> {
    const old: Tree = (await this.last(checkpoint.origin)) ?? { size: 0, root: emptyRoot }
    if (oldSize > checkpoint.size) {
      throw failure('LOG_PROOF_INVALID', `a proof from size ${oldSize} cannot lead to ${checkpoint.size}`)
    }
    if (oldSize !== old.size) {
      const message = `${this.name} has seen ${old.size} entries of ${checkpoint.origin}, not ${oldSize}`
      throw failure('WITNESS_CONFLICT', message, { detail: { size: old.size } })
    }
    if (checkpoint.size === old.size && !isEqual(checkpoint.root, old.root)) {
      throw failure('LOG_FORKED', `${checkpoint.origin} shows two trees of ${old.size} entries`)
    }
    verifyConsistency(old, checkpoint, proof)
  }

  async #remember(checkpoint: Checkpoint): Promise<void> {
    const path = this.#pathOf(checkpoint.origin)
    const temporary = `${path}.new`
    await this.#fs.remove(temporary)
    await replaceFile(this.#fs, path, new TextEncoder().encode(checkpoint.note), temporary)
  }

  #pathOf(origin: string): string {
    return join(this.#options.directory, `${hash('sha256', origin)}.checkpoint`)
  }
}
