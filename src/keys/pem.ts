import { failure } from './codes.ts'

/** One block of a PEM text (RFC 7468): its label, and the bytes it holds. */
export interface PemBlock {
  readonly label: string
  readonly bytes: Uint8Array
}

const begin = '-----BEGIN '
const end = '-----END '
const dashes = '-----'

/** Whether a text or bytes begin as PEM does, after white space. */
export function looksLikePem(input: string | Uint8Array): boolean {
  const start =
    typeof input === 'string' ? input.slice(0, 256) : Buffer.from(input.subarray(0, 256)).toString()
  return start.trimStart().startsWith(begin)
}

/**
 * The blocks of a PEM text, in order. What stands between blocks is passed over (RFC 7468 section 2: parsers should
 * ignore it); what stands in them must be canonical base64, and headers (RFC 1421) are refused.
 *
 * @throws KEY_INVALID
 */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = []
  let open: { label: string; lines: string[] } | undefined
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line.startsWith(begin)) {
      if (open) throw failure('KEY_INVALID', `the PEM block ${open.label} has no end`)
      open = { label: labelOf(line, begin), lines: [] }
    } else if (line.startsWith(end)) {
      if (!open) throw failure('KEY_INVALID', 'a PEM block ends that did not begin')
      if (labelOf(line, end) !== open.label) {
        throw failure('KEY_INVALID', `the PEM block ${open.label} ends as another`)
      }
      const bytes = fromBase64(open.lines.join(''))
      if (!bytes) throw failure('KEY_INVALID', `the PEM block ${open.label} does not hold base64 alone`)
      blocks.push({ label: open.label, bytes })
      open = undefined
    } else if (open) open.lines.push(line)
  }
  if (open) throw failure('KEY_INVALID', `the PEM block ${open.label} has no end`)
  return blocks
}

function labelOf(line: string, prefix: string): string {
  const label = line.slice(prefix.length, -dashes.length)
  if (!line.endsWith(dashes) || !/^[A-Z0-9# ]{1,64}$/.test(label)) {
    throw failure('KEY_INVALID', 'a PEM block has no label that can be read')
  }
  return label
}

/** One block in PEM, with a line feed at the end. */
export function formatPem(label: string, bytes: Uint8Array): string {
  const body = Buffer.from(bytes).toString('base64')
  const lines = body.match(/.{1,64}/g) ?? []
  return `${[`${begin}${label}${dashes}`, ...lines, `${end}${label}${dashes}`].join('\n')}\n`
}

/** Bytes from base64 (RFC 4648 section 4) with its padding and nothing else, or undefined. */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  // Node reads leniently; what does not come back the same was not canonical.
  return bytes.toString('base64') === text ? bytes : undefined
}
