// The six calls of WASI preview 1 that the engine makes, answered so that an evaluation depends on nothing but its
// input: the clock stands still at the moment of the decision, chance is a fixed sequence and told of.

/** Only what is asked for here is noted; what an evaluation is answered never changes with it. */
export interface Outside {
  /** Nanoseconds since 1970: what the real-time clock says. */
  now: bigint
  /** The clock was read since this was last set to false. */
  clockRead: boolean
  /** Chance was asked for. */
  chanceAsked: boolean
  /** The beginning of what the engine wrote to its standard error: a panic's message. */
  said: string
}

/** Most characters kept of it. */
const saidLength = 2000
/** Errno of WASI preview 1: success, function not supported. */
const success = 0
const notSupported = 58

/** Thrown where the engine ends itself. */
export class EngineExit extends Error {}

export function wasiImports(outside: Outside, memory: WebAssembly.Memory): WebAssembly.ModuleImports {
  const decoder = new TextDecoder()
  let ticks = 0n
  let state = 0x9e3779b9
  const view = () => new DataView(memory.buffer)
  return {
    clock_time_get(clock: number, _precision: bigint, into: number): number {
      if (clock === 0) outside.clockRead = true
      // Time does not pass in an evaluation; the monotonic clock only keeps its order.
      view().setBigUint64(into, clock === 0 ? outside.now : ticks++, true)
      return success
    },
    random_get(into: number, length: number): number {
      outside.chanceAsked = true
      const bytes = new Uint8Array(memory.buffer, into, length)
      for (let at = 0; at < length; at++) {
        // xorshift32
        state ^= state << 13
        state ^= state >>> 17
        state ^= state << 5
        bytes[at] = state
      }
      return success
    },
    environ_sizes_get(count: number, size: number): number {
      view().setUint32(count, 0, true)
      view().setUint32(size, 0, true)
      return success
    },
    environ_get: (): number => success,
    fd_write(descriptor: number, vectors: number, count: number, written: number): number {
      if (descriptor !== 2) return notSupported
      let total = 0
      for (let at = 0; at < count; at++) {
        const pointer = view().getUint32(vectors + at * 8, true)
        const length = view().getUint32(vectors + at * 8 + 4, true)
        total += length
        const room = saidLength - outside.said.length
        if (room > 0) {
          outside.said += decoder.decode(new Uint8Array(memory.buffer, pointer, Math.min(length, room)))
        }
      }
      view().setUint32(written, total, true)
      return success
    },
    sched_yield: (): number => success,
    proc_exit(code: number): never {
      throw new EngineExit(`the engine ended itself with ${code}`)
    },
  }
}
