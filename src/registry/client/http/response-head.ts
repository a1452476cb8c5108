import { failure } from '../codes.ts'
import type { HeaderFields } from './exchange.ts'

export interface ResponseHead {
  readonly status: number
  readonly headers: HeaderFields
  /** The connection may be used again after the body. */
  readonly keepAlive: boolean
}

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?$/
const fieldLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/

/**
 * The status line and fields of an HTTP/1 answer (RFC 9112 sections 4 and 5), without the empty line that ends
 * them. Strict: no folded lines, no bare line feeds, no space before a colon.
 *
 * @throws REGISTRY_ANSWER_INVALID
 */
export function parseResponseHead(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n')
  const status = statusLine.exec(first)
  if (!status) throw failure('REGISTRY_ANSWER_INVALID', 'the answer does not begin like one of HTTP/1')
  const headers: Record<string, string | string[]> = Object.create(null)
  for (const line of lines) {
    const match = fieldLine.exec(line)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must not be there
    if (!match || /[\x00\r\n]/.test(line)) {
      throw failure('REGISTRY_ANSWER_INVALID', 'a header field of the answer is malformed')
    }
    const name = match[1]!.toLowerCase()
    const value = match[2]!
    const before = headers[name]
    headers[name] =
      before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value]
  }
  const connection = String(headers.connection ?? '').toLowerCase()
  const keepAlive = status[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive')
  return { status: Number(status[2]), headers, keepAlive }
}

/**
 * Length of the body, or undefined where it is framed in another way (chunked, or until the end of the connection).
 *
 * @throws REGISTRY_ANSWER_INVALID where the fields contradict each other
 */
export function bodyLength({ status, headers }: ResponseHead): number | undefined {
  if (status === 204 || status === 304) return 0
  if (headers['transfer-encoding'] !== undefined) return undefined
  const value = headers['content-length']
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value)) {
    throw failure('REGISTRY_ANSWER_INVALID', 'the Content-Length of the answer is malformed')
  }
  return Number(value)
}
