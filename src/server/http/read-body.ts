import type { IncomingMessage } from 'node:http'
import { failure } from '../codes.ts'

/**
 * The whole body, in memory. Stops reading at the limit, and when the signal says so.
 *
 * @throws REVIEW_TOO_LARGE, REVIEW_INVALID, or the signal's reason
 */
export async function readBody(
  incoming: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const tooLarge = () => failure('REVIEW_TOO_LARGE', `the review is over ${maxBytes} bytes`)
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  const parts: Buffer[] = []
  let length = 0
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      signal.removeEventListener('abort', onAbort)
      incoming.off('data', onData).off('end', onEnd).off('error', onError).off('close', onError)
      act()
    }
    const fail = (error: unknown) =>
      settle(() => {
        incoming.pause()
        reject(error)
      })
    const onAbort = () => fail(signal.reason)
    const onError = () => fail(failure('REVIEW_INVALID', 'the review ended before it was whole'))
    const onEnd = () => settle(() => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)))
    const onData = (part: Buffer) => {
      length += part.length
      if (length > maxBytes) return fail(tooLarge())
      parts.push(part)
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    incoming.on('data', onData).once('end', onEnd).once('error', onError).once('close', onError)
  })
}
