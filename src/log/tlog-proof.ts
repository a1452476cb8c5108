import { limits } from '#base/index.ts'
import { type CheckpointTrust, parseCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { failure } from './codes.ts'
import { hashBytes, leafHash } from './hash.ts'
import { decodeText, parseBase64, parseDecimal } from './note.ts'
import { verifyInclusion } from './proof.ts'
import type { Checkpoint, LogReader } from './types.ts'

/** All that shows offline that an entry is in a log (C2SP tlog-proof). */
export interface LogProof {
  readonly index: number
  /** The inclusion proof in the checkpoint's tree. */
  readonly hashes: readonly Uint8Array[]
  /** The whole signed note. */
  readonly checkpoint: string
  /** Whatever the application puts there: nothing vouches for it. */
  readonly extra?: Uint8Array
}

const header = 'c2sp.org/tlog-proof@v1'

/** The proof of an entry in a checkpoint's tree, the newest one where none is given. @throws LOG_ENTRY_MISSING */
export async function proveEntry(log: LogReader, index: number, at?: Checkpoint): Promise<LogProof> {
  const checkpoint = at ?? (await log.checkpoint())
  const hashes = await log.inclusionProof(index, checkpoint.size)
  return { index, hashes, checkpoint: checkpoint.note }
}

/** The text of a proof (`*.tlog-proof`). */
export function formatLogProof({ index, hashes, checkpoint, extra }: LogProof): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  const lines = [header]
  if (extra) lines.push(`extra ${base64(extra)}`)
  lines.push(`index ${index}`, ...hashes.map(base64))
  return `${lines.join('\n')}\n\n${checkpoint}`
}

/** Parses a proof; nothing in it is verified yet. @throws LOG_PROOF_INVALID, NOTE_INVALID, CHECKPOINT_INVALID */
export function parseLogProof(proof: Uint8Array | string): LogProof {
  const invalid = (why: string) => failure('LOG_PROOF_INVALID', `not a tlog-proof: ${why}`)
  const bytes = typeof proof === 'string' ? Buffer.from(proof) : proof
  if (bytes.length > limits.logProofBytes) {
    throw invalid(`its ${bytes.length} bytes are over the limit of ${limits.logProofBytes}`)
  }
  const text = decodeText(bytes)
  if (text === undefined) throw invalid('it is not UTF-8')
  const end = text.indexOf('\n\n')
  if (end < 0) throw invalid('no empty line stands before a checkpoint')
  const checkpoint = text.slice(end + 2)
  const [first, ...lines] = text.slice(0, end).split('\n')
  if (first !== header) throw invalid(`its first line is not ${header}`)
  let extra: Uint8Array | undefined
  if (lines[0]?.startsWith('extra ')) {
    extra = parseBase64(lines.shift()!.slice('extra '.length))
    if (!extra) throw invalid('its extra data is not base64')
    if (extra.length > limits.logProofExtraBytes) throw invalid('its extra data is over the limit')
  }
  const indexLine = lines.shift()
  const index = indexLine?.startsWith('index ') ? parseDecimal(indexLine.slice('index '.length)) : undefined
  if (index === undefined) throw invalid('it has no index')
  // A tree of 2^53 leaves is 53 levels high.
  if (lines.length > 53) throw invalid('it has more hashes than any tree is high')
  const hashes = lines.map((line) => {
    const hash = parseBase64(line)
    if (hash?.length !== hashBytes) throw invalid('a line is not a hash of 32 bytes in base64')
    return hash
  })
  parseCheckpoint(checkpoint)
  return { index, hashes, checkpoint, ...(extra && { extra }) }
}

/**
 * Shows offline that the entry is in a log that is trusted.
 *
 * @returns the checkpoint that covers it
 * @throws LOG_PROOF_INVALID, and what `verifyCheckpoint` throws
 */
export function verifyLogProof(proof: LogProof, entry: Uint8Array, trust: CheckpointTrust): Checkpoint {
  const checkpoint = verifyCheckpoint(proof.checkpoint, trust)
  verifyInclusion(leafHash(entry), proof.index, checkpoint, proof.hashes)
  return checkpoint
}
