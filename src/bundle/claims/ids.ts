import { decodeTime, monotonicFactory } from 'ulid'

/** New ULIDs, each greater than those before. */
export interface IdSource {
  next(): string
  /** The next ones are greater than this, whatever the clock says, which may have been set back. */
  after(id: string): void
}

/**
 * @param now milliseconds since 1970
 * @param random from 0 (included) to 1 (not)
 */
export function idSource(now: () => number = Date.now, random?: () => number): IdSource {
  const make = random ? monotonicFactory(random) : monotonicFactory()
  let leastMs = 0
  return {
    next: () => make(Math.max(now(), leastMs)),
    after(id) {
      leastMs = Math.max(leastMs, decodeTime(id) + 1)
    },
  }
}
