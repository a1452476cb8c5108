import { timingSafeEqual } from 'node:crypto'
import { failure } from '../codes.ts'
import type { TrustedLog } from './certificate-log.ts'
import { base64, hex, malformed } from './der.ts'
import { leafHash, rootFromInclusion } from './merkle.ts'
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
  const { size, root, log } = readCheckpoint(proof.checkpoint, logs)
  if (size !== proof.size || !same(root, proof.root))
    throw failure('LOG_PROOF_INVALID', 'the log’s checkpoint speaks of another tree than the proof')
  const reached = rootFromInclusion(leafHash(entry.body), proof.index, size, proof.hashes)
  if (!reached || !same(reached, root))
    throw failure('LOG_PROOF_INVALID', 'the proof does not lead from the entry to the root of the log')
  return log
}

const separator = '\n\n'
const signatureLine = /^\u2014 ([^ \n+]{1,256}) ([A-Za-z0-9+/=]{8,16384})$/
const mostSignatures = 64

/** A checkpoint (C2SP tlog-checkpoint) that one of these logs signed; signatures by others, as witnesses, are passed over. */
function readCheckpoint(note: string, logs: readonly TrustedLog[]) {
  const split = note.lastIndexOf(separator)
  if (split < 0 || !note.endsWith('\n')) throw malformed('a checkpoint is not a signed note')
  const text = note.slice(0, split + 1)
  const [origin, size, root] = text.split('\n')
  if (!origin || !/^(0|[1-9]\d{0,18})$/.test(size ?? '') || !root)
    throw malformed('a checkpoint lacks origin, size or root')
  const lines = note.slice(split + separator.length, -1).split('\n')
  if (lines.length > mostSignatures)
    throw malformed(`a checkpoint has more than ${mostSignatures} signatures`)
  const signed = Buffer.from(text)
  for (const line of lines) {
    const encoded = signatureLine.exec(line)?.[2]
    if (encoded === undefined) throw malformed('a signature line of a checkpoint is malformed')
    const bytes = base64(encoded, 'a checkpoint’s signature')
    const hint = hex(bytes.subarray(0, 4))
    const named = logs.filter(({ ids }) => ids.some((id) => id.startsWith(hint)))
    if (named.length === 0) continue
    // C2SP signed-note: a line that names a known key and is not by it spoils the note.
    const log = named.find(({ key }) => isSignedBy(key, signed, bytes.subarray(4)))
    if (!log) break
    return { size: BigInt(size!), root: base64(root, 'a checkpoint’s root'), log }
  }
  throw failure('LOG_PROOF_INVALID', 'the checkpoint is not signed by the log')
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}
