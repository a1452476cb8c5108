import type { Digest } from '#oci/index.ts'
import type { WriteOutcome } from './types.ts'

/** One writer at a time for each digest; where it fails, the next one has its turn. */
export class WriteTurns {
  readonly #underWay = new Map<Digest, Promise<WriteOutcome>>()

  /**
   * Waits for its turn, then writes unless the content is there by then.
   *
   * @throws whatever `isThere` and `write` throw; never what another's turn threw
   */
  async take(
    digest: Digest,
    isThere: () => boolean | Promise<boolean>,
    write: () => Promise<void>,
  ): Promise<WriteOutcome> {
    for (let running = this.#underWay.get(digest); running; running = this.#underWay.get(digest)) {
      await running.catch(() => undefined)
    }
    // From here to `set` nothing waits, so that no two turns begin at once.
    const turn = this.#run(isThere, write)
    this.#underWay.set(digest, turn)
    try {
      return await turn
    } finally {
      this.#underWay.delete(digest)
    }
  }

  /** Resolves once no turn is under way, however they end. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.values())
  }

  async #run(isThere: () => boolean | Promise<boolean>, write: () => Promise<void>): Promise<WriteOutcome> {
    if (await isThere()) return 'present'
    await write()
    return 'copied'
  }
}
