import type { Digester } from '#oci/index.ts'

/** The hash of what an upload has received, between two requests: it cannot be written down, only made again. */
export interface UploadState {
  readonly digester: Digester
  readonly offset: number
}

/** Bounded: the oldest states go first, and then the upload's bytes are hashed again. */
export class UploadStates {
  readonly #states = new Map<string, UploadState>()
  readonly #max: number

  constructor(max = 10_000) {
    this.#max = max
  }

  keep(id: string, state: UploadState): void {
    if (this.#states.size >= this.#max) {
      const oldest = this.#states.keys().next()
      if (!oldest.done) this.#states.delete(oldest.value)
    }
    this.#states.set(id, state)
  }

  /** Hands the state over; where it does not fit the file's size it is worth nothing. */
  take(id: string, sizeBytes: number): UploadState | undefined {
    const state = this.#states.get(id)
    this.#states.delete(id)
    return state?.offset === sizeBytes ? state : undefined
  }
}
