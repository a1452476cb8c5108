import { timingSafeEqual } from 'node:crypto'
import { isFailure } from '#base/index.ts'
import { leafHash, parseCheckpoint, parseNote, verifyInclusion } from '#log/index.ts'
import { failure } from '../codes.ts'
import type { TrustedLog } from './certificate-log.ts'
import { malformed } from './der.ts'
import { isSignedBy } from './signature.ts'

/** What a bundle says of one entry in a log (dev.sigstore.rekor.v1.TransparencyLogEntry). Not judged. */
export interface LogEntry {
  readonly index: bigint
  /** Hex. */
  readonly logId: string
  readonly kind?: { readonly kind: string; readonly version: string }
  /** Seconds; counts only under a good promise. */
  readonly integratedTime: bigint
  /** Signature over body, time, index and log: Rekor v1's signed entry timestamp. */
  readonly promise?: Uint8Array
  readonly inclusion?: InclusionProof
  readonly body: Uint8Array
}

export interface InclusionProof {
  readonly index: bigint
  readonly size: bigint
  readonly root: Uint8Array
  readonly hashes: readonly Uint8Array[]
  /** A signed note. */
  readonly checkpoint: string
}

/** What a log proved. */
export interface Logged {
  readonly id: string
  readonly index: bigint
  /** Milliseconds: said by the log itself, under its promise. */
  readonly time?: number
  readonly checks: readonly ('log-promise' | 'log-inclusion' | 'log-checkpoint')[]
  readonly log: TrustedLog
}

/**
 * Judges what proves that a log holds the entry's body; undefined where no log of this id is trusted.
 *
 * @throws LOG_PROOF_INVALID, PROOF_MALFORMED
 */
export function checkLogged(entry: LogEntry, logs: readonly TrustedLog[]): Logged | undefined {
  const known = logs.filter(({ ids }) => ids.includes(entry.logId))
  if (known.length === 0) return undefined
  let log: TrustedLog | undefined
  const checks: Logged['checks'][number][] = []
  let time: number | undefined
  let { index } = entry
  if (entry.promise) {
    if (entry.integratedTime > lastSecond) throw malformed('a log entry is from beyond the year 9999')
    time = Number(entry.integratedTime) * 1000
    log = promisedBy(entry, entry.promise, time, known)
    checks.push('log-promise')
  }
  if (entry.inclusion) {
    const holder = includedIn(entry, entry.inclusion, known)
    log ??= holder
    // Only a promise covers the index over all shards of a log.
    if (!entry.promise) index = entry.inclusion.index
    checks.push('log-inclusion', 'log-checkpoint')
  }
  if (!log) throw failure('LOG_PROOF_INVALID', 'the log entry comes with neither promise nor proof')
  return { id: entry.logId, index, checks, log, ...(time !== undefined && { time }) }
}

/** RFC 3339 writes years with four digits. */
const lastSecond = 253_402_300_799n

function promisedBy(
  entry: LogEntry,
  promise: Uint8Array,
  time: number,
  logs: readonly TrustedLog[],
): TrustedLog {
  const valid = logs.filter(({ validFrom, validUntil }) => validFrom <= time && time <= validUntil)
  const { integratedTime, logId, index } = entry
  // The canonical JSON (RFC 8785) of these four; none of them holds a character that needs escaping.
  const body = Buffer.from(entry.body).toString('base64')
  const signed = Buffer.from(
    `{"body":"${body}","integratedTime":${integratedTime},"logID":"${logId}","logIndex":${index}}`,
  )
  const by = valid.find(({ key }) => isSignedBy(key, signed, promise))
  if (by) return by
  const why = valid.length === 0 ? 'is from a time at which its key is not trusted' : 'is not signed by it'
  throw failure('LOG_PROOF_INVALID', `the log’s promise to hold the entry ${why}`)
}

function includedIn(entry: LogEntry, proof: InclusionProof, logs: readonly TrustedLog[]): TrustedLog {
  const { checkpoint, log } = readCheckpoint(proof.checkpoint, logs)
  const { size, root } = checkpoint
  if (BigInt(size) !== proof.size || !same(root, proof.root))
    throw failure('LOG_PROOF_INVALID', 'the log’s checkpoint speaks of another tree than the proof')
  // What is not within the tree's size, which is a safe number, is no number that counts.
  if (proof.index >= proof.size)
    throw failure('LOG_PROOF_INVALID', 'the proof is of an entry that the tree does not have')
  verifyInclusion(leafHash(entry.body), Number(proof.index), checkpoint, proof.hashes)
  return log
}

/** A checkpoint (C2SP tlog-checkpoint) that one of these logs signed; signatures by others, as witnesses, are passed over. */
function readCheckpoint(text: string, logs: readonly TrustedLog[]) {
  const { note, checkpoint } = parsed(text)
  const signed = Buffer.from(note.text)
  for (const { keyId, bytes } of note.signatures) {
    const hint = keyId.toString(16).padStart(8, '0')
    const named = logs.filter(({ ids }) => ids.some((id) => id.startsWith(hint)))
    if (named.length === 0) continue
    // C2SP signed-note: a line that names a known key and is not by it spoils the note.
    const log = named.find(({ key }) => isSignedBy(key, signed, bytes))
    if (!log) break
    return { checkpoint, log }
  }
  throw failure('LOG_PROOF_INVALID', 'the checkpoint is not signed by the log')
}

function parsed(text: string) {
  try {
    return { note: parseNote(text), checkpoint: parseCheckpoint(text) }
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw malformed(`a log’s checkpoint cannot be read: ${cause.message}`, cause)
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}
