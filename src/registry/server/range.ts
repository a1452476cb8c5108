import { refuse } from './codes.ts'

/**
 * One byte range of a Range header (RFC 9110, 14.1.2). Several ranges, other units and malformed headers count as
 * no range, as the RFC allows; one that cannot be satisfied is refused with 416.
 *
 * @throws REQUEST_REFUSED
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { offset: number; length: number } | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return undefined
  const unsatisfiable = () =>
    refuse(416, 'SIZE_INVALID', 'the range does not lie in the content', {
      headers: { 'content-range': `bytes */${sizeBytes}` },
    })
  if (match[1] === '') {
    const length = Math.min(Number(match[2]), sizeBytes)
    if (length === 0) throw unsatisfiable()
    return { offset: sizeBytes - length, length }
  }
  const offset = Number(match[1])
  const last = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1)
  if (offset >= sizeBytes || last < offset) throw unsatisfiable()
  return { offset, length: last - offset + 1 }
}

/** The Content-Range of a chunk, `START-END` (distribution-spec, Pushing a blob in chunks). @throws REQUEST_REFUSED */
export function parseChunkRange(header: string): { start: number; length: number } {
  const match = /^(?:bytes[= ])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header)
  const start = Number(match?.[1])
  const end = Number(match?.[2])
  if (!match || end < start) throw refuse(416, 'BLOB_UPLOAD_INVALID', 'the Content-Range is malformed')
  return { start, length: end - start + 1 }
}
