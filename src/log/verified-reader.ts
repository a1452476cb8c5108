import { failure } from './codes.ts'
import { tileWidth } from './tiles.ts'
import type { Checkpoint, LogReader } from './types.ts'
import type { VerifiedTree } from './verified-tree.ts'

/** A checkpoint whose signatures were verified, and the tree that it tells of. */
export interface LogState {
  readonly checkpoint: Checkpoint
  readonly tree: VerifiedTree
}

/** Reading of a log from verified states; where these come from is the business of who extends it. */
export abstract class VerifiedReader implements LogReader {
  /** The newest state. */
  protected abstract newest(): Promise<LogState>
  /** A state of at least this size, if there is one: the one at hand where that is enough. */
  protected abstract atLeast(size: number): Promise<LogState>

  async checkpoint(): Promise<Checkpoint> {
    return (await this.newest()).checkpoint
  }

  async entry(index: number): Promise<Uint8Array> {
    const { tree } = await this.atLeast(index + 1)
    if (!Number.isSafeInteger(index) || index < 0 || index >= tree.size) {
      throw failure('LOG_ENTRY_MISSING', `there is no entry ${index} in a log of size ${tree.size}`)
    }
    const entries = await tree.entries(Math.floor(index / tileWidth))
    return entries[index % tileWidth]!
  }

  async *entries(from: number, to?: number): AsyncGenerator<{ index: number; bytes: Uint8Array }> {
    const { tree } = await (to === undefined ? this.newest() : this.atLeast(to))
    const end = to ?? tree.size
    if (!Number.isSafeInteger(from) || from < 0 || !Number.isSafeInteger(end) || end > tree.size) {
      throw failure(
        'LOG_ENTRY_MISSING',
        `there are no entries ${from} to ${end} in a log of size ${tree.size}`,
      )
    }
    for (let index = from; index < end; ) {
      const bundle = Math.floor(index / tileWidth)
      const entries = await tree.entries(bundle)
      for (; index < end && index < (bundle + 1) * tileWidth; index++) {
        yield { index, bytes: entries[index % tileWidth]! }
      }
    }
  }

  async inclusionProof(index: number, size: number): Promise<readonly Uint8Array[]> {
    return (await this.atLeast(size)).tree.inclusionProof(index, size)
  }

  async consistencyProof(from: number, to: number): Promise<readonly Uint8Array[]> {
    return (await this.atLeast(to)).tree.consistencyProof(from, to)
  }
}
