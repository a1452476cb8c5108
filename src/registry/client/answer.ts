import { isFailure, type Json, type Limits, parseJson } from '#base/index.ts'
import type { ByteReader } from '#content/index.ts'
import { failure } from './codes.ts'

/** What reading a small answer must keep to. */
export interface AnswerBounds {
  readonly host: string
  readonly maxBytes: number
  readonly limits: Limits
  readonly now: () => number
}

/** The whole of a small body. @throws REGISTRY_ANSWER_INVALID (too large), REGISTRY_STALLED, connection errors as they are */
export async function readAnswer(
  body: ByteReader,
  { host, maxBytes, limits, now }: AnswerBounds,
): Promise<Uint8Array> {
  const untilMs = now() + limits.answerMs
  let buffer = new Uint8Array(Math.min(maxBytes + 1, 16 * 1024))
  let filled = 0
  try {
    for (;;) {
      const count = await body.read(buffer.subarray(filled))
      if (count === 0) return buffer.subarray(0, filled)
      filled += count
      if (filled > maxBytes) {
        throw failure(
          'REGISTRY_ANSWER_INVALID',
          `an answer of ${host} is over the limit of ${maxBytes} bytes`,
        )
      }
      if (now() > untilMs) {
        throw failure('REGISTRY_STALLED', `an answer of ${host} took longer than ${limits.answerMs} ms`)
      }
      if (filled === buffer.length) {
        const grown = new Uint8Array(Math.min(maxBytes + 1, buffer.length * 4))
        grown.set(buffer)
        buffer = grown
      }
    }
  } finally {
    await body.close()
  }
}

/** @throws REGISTRY_ANSWER_INVALID */
export function parseAnswer(bytes: Uint8Array, host: string, what: string): Json {
  try {
    return parseJson(bytes, { maxBytes: bytes.length })
  } catch (cause) {
    const why = isFailure(cause) ? cause.message : 'it cannot be read'
    throw failure('REGISTRY_ANSWER_INVALID', `${what} of ${host} is not good JSON: ${why}`, { cause })
  }
}
