import { type Json, limits } from '#base/index.ts'
import { failure } from '../codes.ts'

/** Inputs and decisions hold what was parsed within the usual depth, a few levels further in. */
const recordDepth = 2 * limits.jsonDepth

/**
 * What could not be read back is not written, in an entry or beside the log: one such entry would blind every reader.
 * Whoever asks a question may choose names in it, and `parseJson` takes no `__proto__`.
 *
 * @throws RECORD_INVALID
 */
export function checkReadable(value: unknown): void {
  const why = problemOf(value as Json, recordDepth)
  if (why !== undefined) throw failure('RECORD_INVALID', `this cannot be recorded: ${why}`)
}

function problemOf(value: Json, most: number): string | undefined {
  if (value === null || typeof value !== 'object') return undefined
  if (most === 0) return `it is nested deeper than ${recordDepth} levels`
  if (Object.hasOwn(value, '__proto__')) return 'it has a member __proto__'
  for (const one of Object.values(value)) {
    const why = problemOf(one, most - 1)
    if (why !== undefined) return why
  }
  return undefined
}
