import type { IncomingMessage } from 'node:http'

export interface BodyTerms {
  readonly maxBytes: number
  /**
   * A body over `maxBytes` is still read, and forgotten, to its end up to this size: whoever sends it would not see the
   * refusal otherwise. Default: `maxBytes`.
   */
  readonly drainBytes?: number
  /** What is thrown for more bytes than `maxBytes`, and for a body that breaks off. */
  readonly tooLarge: () => Error
  readonly brokenOff: () => Error
  /** Told of bytes that are to be kept, before they are. What it throws ends the reading. */
  readonly hold?: (bytes: number) => void
}

const none = new Uint8Array()

/** Whether a body can follow the head (RFC 9112 section 6.3). */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'

/**
 * The whole body, in memory. Stops reading at the limit, and when the signal says so.
 *
 * @throws what `terms` says, or the signal's reason; the request is unread then (`complete` is false) unless drained
 */
export function readBody(
  incoming: IncomingMessage,
  { maxBytes, drainBytes = maxBytes, tooLarge, brokenOff, hold }: BodyTerms,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (!hasBody(incoming)) return Promise.resolve(none)
  const declared = Number(incoming.headers['content-length'] ?? 0)
  if (declared > Math.max(maxBytes, drainBytes)) return Promise.reject(tooLarge())
  let parts: Buffer[] = []
  let length = 0
  return new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener('abort', onAbort)
      incoming.off('data', onData).off('end', onEnd).off('error', onError).off('close', onError)
    }
    const fail = (error: unknown) => {
      settle()
      incoming.pause()
      reject(error)
    }
    const onAbort = () => fail(signal.reason)
    const onError = () => fail(brokenOff())
    const onEnd = () => {
      if (length > maxBytes) return fail(tooLarge())
      settle()
      resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
    }
    const onData = (part: Buffer) => {
      length += part.length
      if (length > drainBytes) return fail(tooLarge())
      if (length > maxBytes) {
        parts = []
        return
      }
      try {
        hold?.(part.length)
        parts.push(part)
      } catch (error) {
        fail(error)
      }
    }
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    incoming.on('data', onData).once('end', onEnd).once('error', onError).once('close', onError)
  })
}
