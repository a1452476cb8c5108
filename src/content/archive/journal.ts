import { crc32 } from 'node:zlib'
import { baseFailure, type FileSystem, type OpenFile } from '#base/index.ts'
import { type Digest, isDigest } from '#oci/index.ts'

/** What a killed writer had done, as far as it can be trusted: content bytes from the start of each digest. */
export type Progress = ReadonlyMap<Digest, number>

/**
 * Beside the half-written archive, one line per chunk written: `crc32 {"d": digest, "n": bytes}`. After a kill
 * the page cache holds all that was written, so every whole line counts. After a power cut (another boot id) only
 * lines before the mark of the last `{"synced": mark}` count, which is written once the archive's own bytes are on
 * the disk; what later lines told is taken back, so that no later mark or kill makes it count again.
 */
export class Journal {
  readonly #file: OpenFile
  #at: number
  #tail: Promise<void> = Promise.resolve()

  private constructor(file: OpenFile, at: number) {
    this.#file = file
    this.#at = at
  }

  /**
   * Takes up the journal of the same plan, or begins a new one: then the progress is empty. What it says is on the
   * disk when this resolves, its name aside.
   *
   * @param begin where there is no half-written file that an old journal could tell of
   */
  static async open(
    fs: FileSystem,
    path: string,
    plan: Digest,
    bootId: string,
    begin: boolean,
  ): Promise<{ journal: Journal; progress: Progress }> {
    const file = await fs.open(path, 'create')
    try {
      const { progress, length, lost } = begin ? nothing : await replay(file, plan, bootId)
      await file.truncate(length)
      const journal = new Journal(file, length)
      if (length === 0) await journal.#append({ plan })
      for (const digest of lost) await journal.#append({ d: digest, n: progress.get(digest) ?? -1 })
      await journal.#append({ boot: bootId })
      // Otherwise lines of before, told of other bytes, could come back behind the new ones.
      await file.sync()
      return { journal, progress }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** The first `contentBytes` of this digest have been written (not synced). */
  wrote(digest: Digest, contentBytes: number): Promise<void> {
    return this.#append({ d: digest, n: contentBytes })
  }

  /** What was written of this digest turned out to be wrong. */
  forget(digest: Digest): Promise<void> {
    return this.#append({ d: digest, n: -1 })
  }

  /** Where the journal stands: what `synced` covers is what was there before the sync began. */
  mark(): number {
    return this.#at
  }

  /** The archive's bytes told of before `mark` are on the disk. */
  synced(mark: number): Promise<void> {
    return this.#append({ synced: mark })
  }

  async close(): Promise<void> {
    await this.#tail.catch(() => undefined)
    await this.#file.close()
  }

  #append(record: object): Promise<void> {
    const bytes = Buffer.from(line(record))
    const at = this.#at
    this.#at += bytes.length
    this.#tail = this.#tail.then(() => this.#file.write(bytes, at))
    return this.#tail
  }
}

interface JournalRecord {
  readonly plan?: string
  readonly boot?: string
  readonly d?: string
  readonly n?: number
  readonly synced?: number
}

const line = (record: object): string => {
  const text = JSON.stringify(record)
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`
}

const maxJournalBytes = 1024 * 1024 * 1024

interface Replay {
  readonly progress: Progress
  /** Bytes of the journal that hold whole lines of this plan. */
  readonly length: number
  /** What was told of and does not count any more. */
  readonly lost: ReadonlySet<Digest>
}

const nothing: Replay = { progress: new Map(), length: 0, lost: new Set() }

async function replay(file: OpenFile, plan: Digest, bootId: string): Promise<Replay> {
  const size = await file.size()
  if (size > maxJournalBytes)
    throw baseFailure('FILE_SYSTEM', 'the journal of a half-written archive is too large')
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; ) {
    const count = await file.read(bytes.subarray(at), at)
    if (count === 0) break
    at += count
  }
  let length = 0
  const records: { record: JournalRecord; end: number }[] = []
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, length)) {
    const record = parseLine(bytes.toString('utf8', length, end))
    if (!record) break
    length = end + 1
    records.push({ record, end: length })
  }
  if (records[0]?.record.plan !== plan) return nothing
  const boots = records.flatMap(({ record }) => (record.boot === undefined ? [] : [record.boot]))
  const trusted =
    boots.at(-1) === bootId ? length : Math.max(0, ...records.map(({ record }) => record.synced ?? 0))
  const progress = new Map<Digest, number>()
  const lost = new Set<Digest>()
  for (const { record, end } of records) {
    if (!isDigest(record.d) || typeof record.n !== 'number') continue
    if (end > trusted) lost.add(record.d)
    else if (record.n < 0) progress.delete(record.d)
    else progress.set(record.d, record.n)
  }
  return { progress, length, lost }
}

function parseLine(text: string): JournalRecord | undefined {
  const body = text.slice(9)
  if (text !== line0(body)) return undefined
  try {
    return JSON.parse(body) as JournalRecord
  } catch {
    return undefined
  }
}

const line0 = (body: string): string => `${crc32(body).toString(16).padStart(8, '0')} ${body}`
