import { refuse } from './codes.ts'

/** One request at a time writes to an upload: two would tear each other's bytes. */
export class UploadLocks {
  readonly #busy = new Set<string>()

  /** @throws REQUEST_REFUSED */
  async hold<T>(id: string, act: () => Promise<T>): Promise<T> {
    if (this.#busy.has(id))
      throw refuse(409, 'BLOB_UPLOAD_INVALID', 'another request is writing to this upload')
    this.#busy.add(id)
    try {
      return await act()
    } finally {
      this.#busy.delete(id)
    }
  }
}
