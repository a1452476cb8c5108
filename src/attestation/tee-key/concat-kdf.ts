import { createHash } from 'node:crypto'

/**
 * One round of ConcatKDF with SHA-256 for 32 bytes of key (RFC 7518 section 4.6.2): the algorithm, both parties empty.
 * Of P-521 the secret has 66 bytes.
 */
export function concatKdf(secret: Uint8Array, algorithm: string): Buffer {
  const round = u32(1)
  const empty = u32(0)
  const info = [u32(algorithm.length), Buffer.from(algorithm), empty, empty, u32(256)]
  return createHash('sha256')
    .update(Buffer.concat([round, secret, ...info]))
    .digest()
}

/** A number as JOSE writes lengths: 32 bits, big-endian. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
