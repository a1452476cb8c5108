import { refuse } from './codes.ts'
import type { Exchange } from './exchange.ts'

/** A small body whole. @throws REQUEST_REFUSED where it is larger than `maxBytes`, before it is read */
export async function readBody(exchange: Exchange, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => refuse(413, 'SIZE_INVALID', `the body is larger than ${maxBytes} bytes`)
  const announced = Number(exchange.request.headers['content-length'] ?? 0)
  if (announced > maxBytes) throw tooLarge()
  const parts: Buffer[] = []
  let total = 0
  for await (const part of exchange.request as AsyncIterable<Buffer>) {
    total += part.length
    if (total > maxBytes) throw tooLarge()
    parts.push(part)
  }
  exchange.shared.metrics.bytesIn += total
  return Buffer.concat(parts)
}
