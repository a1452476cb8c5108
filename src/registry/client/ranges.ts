/** A Content-Range of bytes (RFC 9110 section 14.4); offsets are inclusive, `total` undefined for `*`. */
export interface ContentRange {
  readonly first: number
  readonly last: number
  readonly total: number | undefined
}

const contentRange = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i

/** Undefined where it is malformed or contradicts itself. */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = contentRange.exec(text ?? '')
  if (!match) return undefined
  const first = Number(match[1])
  const last = Number(match[2])
  const total = match[3] === '*' ? undefined : Number(match[3])
  if (last < first || (total !== undefined && last >= total)) return undefined
  return { first, last, total }
}

/**
 * How many bytes of an upload have arrived, from the Range field of its status (`0-<last>`, distribution-spec,
 * Pushing a blob in chunks). `0-0` is what many registries say of an upload that holds nothing.
 */
export function parseUploadRange(text: string | undefined): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(text ?? '')
  if (!match) return undefined
  return match[1] === '0' ? 0 : Number(match[1]) + 1
}
