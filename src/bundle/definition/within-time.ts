import { createContext, runInContext } from 'node:vm'
import { isFailure } from '#base/index.ts'
import { failure } from '../codes.ts'

const room: { act?: () => unknown } = Object.create(null)
const context = createContext(room)

/**
 * Runs `act`, which must compute and not wait, and stops it where it takes longer than `maxMs`: V8 looks up from
 * its work at every turn of a loop and of a regular expression's search. References that go round in circles end
 * in a full stack, which is told the same way.
 *
 * @throws DEFINITION_TOO_COSTLY
 */
export function withinTime<T>(maxMs: number, at: string, act: () => T): T {
  room.act = act
  try {
    return runInContext('act()', context, { timeout: maxMs }) as T
  } catch (cause) {
    if (isFailure(cause)) throw cause
    const timedOut = (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    if (!timedOut && !(cause instanceof RangeError)) throw cause
    throw failure('DEFINITION_TOO_COSTLY', `checking a value against ${at} did not end in ${maxMs} ms`, {
      detail: { path: at },
    })
  } finally {
    delete room.act
  }
}
