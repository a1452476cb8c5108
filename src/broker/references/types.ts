import type { ReferenceValue } from '#attestation/index.ts'

/** A value, and where it is from: whoever set it, or the attestation that said it. */
export interface KnownReference extends ReferenceValue {
  readonly origin: string
  readonly at: Date
}

/** Reference values in the broker's state, with their ends. */
export interface ReferenceBook {
  /** All that are there; `valuesAt` leaves out what has expired. Seen within `refreshMs` on every replica. */
  values(signal?: AbortSignal): Promise<readonly KnownReference[]>
  read(name: string, signal?: AbortSignal): Promise<KnownReference | undefined>
  /** All or none of them are seen at once. `origin` says who and by what (a message's digest, an attestation). */
  set(values: readonly ReferenceValue[], origin: string, at: Date, signal?: AbortSignal): Promise<void>
  remove(name: string, signal?: AbortSignal): Promise<boolean>
}
