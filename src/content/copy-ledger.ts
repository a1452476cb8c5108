import type { OnProgress } from '#base/index.ts'
import type { Descriptor } from '#oci/index.ts'
import type { Tally, WriteOutcome } from './types.ts'

/** Counts what a copy does and tells it as progress that never goes backwards, whatever is read twice. */
export class Ledger {
  readonly #onProgress: OnProgress | undefined
  readonly #reached = new Map<Descriptor, number>()
  readonly #tallies: Record<WriteOutcome, { items: number; sizeBytes: number }> = {
    copied: { items: 0, sizeBytes: 0 },
    mounted: { items: 0, sizeBytes: 0 },
    present: { items: 0, sizeBytes: 0 },
  }

  constructor(onProgress: OnProgress | undefined) {
    this.#onProgress = onProgress
  }

  expect(contents: readonly Descriptor[]): void {
    const sizeBytes = contents.reduce((sum, { size }) => sum + size, 0)
    this.#onProgress?.({ type: 'total', sizeBytes, items: contents.length })
  }

  /** `position` bytes of this content have passed. */
  reached(content: Descriptor, position: number): void {
    const before = this.#reached.get(content) ?? 0
    const now = Math.min(position, content.size)
    if (now <= before) return
    this.#reached.set(content, now)
    this.#onProgress?.({ type: 'advance', sizeBytes: now - before })
  }

  settle(content: Descriptor, how: WriteOutcome): void {
    this.reached(content, content.size)
    this.#reached.delete(content)
    this.#tallies[how].items++
    this.#tallies[how].sizeBytes += content.size
    this.#onProgress?.({ type: 'done', what: content.digest, sizeBytes: content.size, how })
  }

  get tallies(): Record<WriteOutcome, Tally> {
    return this.#tallies
  }
}
