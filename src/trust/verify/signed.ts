import type { KeyObject } from 'node:crypto'
import { createHash } from 'node:crypto'
import { isContentSignedBy } from './signature.ts'

/** A signature and what it is over, however it was packed. */
export interface Signed {
  readonly signature: Uint8Array
  /** Of what was signed, by the name of the hash; undefined where it cannot be known. */
  readonly digest: (hash: string) => Uint8Array | undefined
  /** Of an envelope: what it holds. */
  readonly payload?: Uint8Array
  /** Of an envelope: its JSON as it was written, where that is known. */
  readonly envelope?: Uint8Array
  /** @throws SUBJECT_BYTES_NEEDED */
  readonly isBy: (key: KeyObject) => boolean
}

/** A signature over bytes that are there. */
export function signedBytes(
  bytes: Uint8Array,
  signature: Uint8Array,
  more: Pick<Signed, 'payload' | 'envelope'> = {},
): Signed {
  return {
    signature,
    digest: (hash) => createHash(hash).update(bytes).digest(),
    isBy: (key) => isContentSignedBy(key, bytes, signature),
    ...more,
  }
}
