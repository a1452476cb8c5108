import type { ReferenceValue, ReferenceValues } from '#attestation/index.ts'

/** Reference values in the broker's state, with their ends. */
export interface ReferenceBook {
  /** All that are there; `valuesAt` leaves out what has expired. Seen within `refreshMs` on every replica. */
  values(signal?: AbortSignal): Promise<ReferenceValues>
  read(name: string, signal?: AbortSignal): Promise<ReferenceValue | undefined>
  /** All or none of them are seen at once. `origin` says who and by what (a message's digest, an attestation). */
  set(values: readonly ReferenceValue[], origin: string, at: Date, signal?: AbortSignal): Promise<void>
  remove(name: string, signal?: AbortSignal): Promise<boolean>
}
