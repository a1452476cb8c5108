import type { ServerResponse } from 'node:http'
import { type ByteReader, Check } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'

const bufferBytes = 512 * 1024
const ringSize = 3
const free: Buffer[] = []

const take = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(bufferBytes)
const give = (buffer: Buffer): void => {
  if (free.length < 64) free.push(buffer)
}

/**
 * Sends what the reader gives as the body of a reply whose head is written: a few reused buffers go round, one is
 * read while others are on their way out.
 *
 * @param verify the content that it must be: the last piece goes out only once the digest is right. Where it is
 * wrong the promise rejects with DIGEST_MISMATCH or SIZE_MISMATCH, and the caller must break the connection off.
 * @returns bytes sent
 */
export async function sendBody(
  response: ServerResponse,
  reader: ByteReader,
  verify?: Descriptor,
): Promise<number> {
  const check = verify && new Check(verify)
  const ring: { buffer: Buffer; sent: Promise<void> }[] = []
  let held: { slot: (typeof ring)[number]; bytes: Buffer } | undefined
  let total = 0
  const release = ({ slot, bytes }: NonNullable<typeof held>) => {
    total += bytes.length
    slot.sent = write(response, bytes)
    slot.sent.catch(() => undefined)
  }
  try {
    for (let at = 0; ; at++) {
      const slot = ring[at % ringSize] ?? { buffer: take(), sent: Promise.resolve() }
      ring[at % ringSize] = slot
      await slot.sent
      const count = await reader.read(slot.buffer)
      if (count === 0) break
      const bytes = slot.buffer.subarray(0, count)
      check?.update(bytes)
      if (held) release(held)
      held = { slot, bytes }
      if (!check) {
        release(held)
        held = undefined
      }
    }
    check?.finish()
    if (held) release(held)
    await Promise.all(ring.map(({ sent }) => sent))
    response.end()
    return total
  } finally {
    await Promise.allSettled(ring.map(({ sent }) => sent))
    for (const { buffer } of ring) give(buffer)
    await reader.close()
  }
}

function write(response: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) {
      reject(new Error('the client went away'))
      return
    }
    response.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}
