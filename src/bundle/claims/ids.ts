import { monotonicFactory } from 'ulid'

/** New ULIDs, each greater than the one before. */
export type NewId = () => string

/**
 * @param now milliseconds since 1970
 * @param random from 0 (included) to 1 (not)
 */
export function idSource(now: () => number = Date.now, random?: () => number): NewId {
  const next = random ? monotonicFactory(random) : monotonicFactory()
  return () => next(now())
}
