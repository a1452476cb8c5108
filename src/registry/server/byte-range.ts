/** One satisfiable range of a content: both in bytes, `length` at least 1. */
export interface SatisfiableRange {
  readonly offset: number
  readonly length: number
}

const grammar = /^bytes=\s*(\d{0,20})-(\d{0,20})\s*$/i

/**
 * Reads a Range header (RFC 9110 section 14.1.2) for a content of `sizeBytes`. `undefined` means: answer as if
 * there were none (no header, another unit, several ranges); `unsatisfiable` means 416. A last byte before the
 * first one is 416 too, as the conformance suite wants it.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): SatisfiableRange | 'unsatisfiable' | undefined {
  const match = header === undefined ? null : grammar.exec(header)
  if (!match) return undefined
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return undefined
    const length = Math.min(Number(last), sizeBytes)
    return length === 0 ? 'unsatisfiable' : { offset: sizeBytes - length, length }
  }
  const offset = Number(first)
  if (offset >= sizeBytes) return 'unsatisfiable'
  const end = last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  return end < offset ? 'unsatisfiable' : { offset, length: end - offset + 1 }
}

/** The value of Content-Range in a 206. */
export const contentRange = ({ offset, length }: SatisfiableRange, sizeBytes: number): string =>
  `bytes ${offset}-${offset + length - 1}/${sizeBytes}`

/** Where a chunk of a push goes (distribution-spec, Pushing a blob in chunks: `Content-Range: 0-1023`). */
export interface ChunkRange {
  readonly offset: number
  readonly length: number
}

const chunkGrammar = /^(?:bytes\s+)?(\d{1,15})-(\d{1,15})(?:\/(?:\*|\d{1,15}))?$/

/** `undefined` where there is no header, `malformed` where it makes no sense. */
export function parseChunkRange(header: string | undefined): ChunkRange | 'malformed' | undefined {
  if (header === undefined) return undefined
  const match = chunkGrammar.exec(header.trim())
  if (!match) return 'malformed'
  const offset = Number(match[1])
  const length = Number(match[2]) - offset + 1
  return length < 1 ? 'malformed' : { offset, length }
}
