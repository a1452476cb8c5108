import { Buffer } from 'node:buffer'
import { failure } from '../codes.ts'
import type { DecisionLimits } from '../types.ts'
import { engineModule } from './module.ts'
import { type Outside, wasiImports } from './wasi.ts'

/** What the module exports: crates/regorus-wasm says what each does, crates/meter what the two globals are. */
interface EngineExports {
  readonly fuel: WebAssembly.Global
  readonly room: WebAssembly.Global
  allocate(length: number): number
  release(pointer: number, length: number): void
  answer_pointer(): number
  answer_length(): number
  forget_answer(): void
  reset(v0: number, strict: number): void
  prepare(): number
  gather_prints(): void
  take_prints(): number
  add_policy(...pairs: number[]): number
  add_data(...pairs: number[]): number
  has_rule(...pairs: number[]): number
  evaluate(...pairs: number[]): number
  query(...pairs: number[]): number
}

/** What came of one call. */
export type Outcome =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'undefined' }
  /** The policy's own error, in the engine's words. */
  | { readonly kind: 'error'; readonly text: string }
  /** It ended in the middle, and the instance is of no use any more. */
  | { readonly kind: 'instructions' | 'depth' | 'memory' | 'panic'; readonly text: string }

type Call = 'prepare' | 'take_prints' | 'add_policy' | 'add_data' | 'has_rule' | 'evaluate' | 'query'

/** The module's own memory at its start: its tables, and a stack of 1 MiB. */
const initialPages = 43
const pageBytes = 65_536
/**
 * Slots of stack that an evaluation may take (see crates/meter). Rules that nest without end come to the end of the
 * module's own stack at some 100,000 of them, and V8's stack, whose end is not the same on every machine, holds still.
 */
const stackSlots = 50_000

/** One instance of the engine, with files and data of its own. Not reentrant; useless after a trap. */
export class Engine {
  readonly #exports: EngineExports
  readonly #memory: WebAssembly.Memory
  readonly #outside: Outside = { now: 0n, clockRead: false, chanceAsked: false, said: '' }
  readonly #memoryBytes: number
  /** Instructions that each call from now on may take. */
  instructionLimit: number
  #trapped = false

  /** @throws POLICY_ENGINE_FAILED */
  constructor(
    limits: DecisionLimits,
    { v0 = false, strict = true }: { v0?: boolean; strict?: boolean } = {},
  ) {
    this.#memoryBytes = limits.memoryBytes
    this.instructionLimit = limits.instructions
    const maximum = Math.max(initialPages, Math.floor(limits.memoryBytes / pageBytes))
    this.#memory = new WebAssembly.Memory({ initial: initialPages, maximum })
    try {
      const instance = new WebAssembly.Instance(engineModule().module, {
        env: { memory: this.#memory },
        wasi_snapshot_preview1: wasiImports(this.#outside, this.#memory),
      })
      this.#exports = instance.exports as unknown as EngineExports
    } catch (cause) {
      throw failure('POLICY_ENGINE_FAILED', 'the policy engine cannot be instantiated', { cause })
    }
    this.#exports.reset(Number(v0), Number(strict))
  }

  /** A trap left it in the middle of something. */
  get trapped(): boolean {
    return this.#trapped
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength
  }

  /** Instructions that the last call took. */
  get instructions(): number {
    return this.instructionLimit - Number(this.#exports.fuel.value)
  }

  /** The last evaluation asked what time it is. */
  get clockRead(): boolean {
    return this.#outside.clockRead
  }

  /** The last evaluation asked for chance. */
  get chanceAsked(): boolean {
    return this.#outside.chanceAsked
  }

  addPolicy(path: string, text: string): Outcome {
    return this.#call('add_policy', path, text)
  }

  addData(json: string): Outcome {
    return this.#call('add_data', json)
  }

  prepare(): Outcome {
    return this.#call('prepare')
  }

  hasRule(rule: string): Outcome {
    return this.#call('has_rule', rule)
  }

  evaluate(rule: string, input: string, at: Date): Outcome {
    this.#set(at)
    return this.#call('evaluate', rule, input)
  }

  /** Any query; an empty input is an undefined one. The value is OPA's `{result: [{expressions, bindings}]}`. */
  query(text: string, input: string, at: Date): Outcome {
    this.#set(at)
    return this.#call('query', text, input)
  }

  gatherPrints(): void {
    this.#exports.gather_prints()
  }

  takePrints(): string[] {
    const outcome = this.#call('take_prints')
    return outcome.kind === 'value' ? (JSON.parse(outcome.text) as string[]) : []
  }

  #set(at: Date): void {
    this.#outside.now = BigInt(at.getTime()) * 1_000_000n
    this.#outside.clockRead = false
    this.#outside.chanceAsked = false
  }

  #call(name: Call, ...texts: string[]): Outcome {
    if (this.#trapped)
      throw failure('POLICY_ENGINE_FAILED', 'the instance of the policy engine was left by a trap')
    const { fuel, room } = this.#exports
    fuel.value = BigInt(this.instructionLimit)
    room.value = stackSlots
    this.#outside.said = ''
    try {
      const pairs: number[] = []
      for (const text of texts) pairs.push(...this.#put(text))
      const status = this.#exports[name](...pairs)
      const text = status === 2 ? '' : this.#answer()
      for (let at = 0; at < pairs.length; at += 2) this.#exports.release(pairs[at]!, pairs[at + 1]!)
      if (status === 2) return { kind: 'undefined' }
      return { kind: status === 0 ? 'value' : 'error', text }
    } catch (error) {
      this.#trapped = true
      return this.#explain(error)
    }
  }

  #put(text: string): [number, number] {
    const length = Buffer.byteLength(text)
    const pointer = this.#exports.allocate(length)
    Buffer.from(this.#memory.buffer).write(text, pointer, length)
    return [pointer, length]
  }

  #answer(): string {
    const pointer = this.#exports.answer_pointer()
    const length = this.#exports.answer_length()
    const text = Buffer.from(this.#memory.buffer, pointer, length).toString('utf8')
    this.#exports.forget_answer()
    return text
  }

  /** Why it trapped. What is not the policy's doing is thrown: it must never be taken for a decision. */
  #explain(error: unknown): Outcome {
    if (Number(this.#exports.fuel.value) < 0) {
      return { kind: 'instructions', text: `it takes more than ${this.instructionLimit} instructions` }
    }
    if (this.#exports.room.value < 0) {
      return { kind: 'depth', text: `its rules are nested deeper than ${stackSlots} slots of stack` }
    }
    const said = this.#outside.said.trim()
    if (/memory allocation of \d+ bytes failed|capacity overflow/.test(said)) {
      return { kind: 'memory', text: `it takes more than ${this.#memoryBytes} bytes of memory` }
    }
    if (said !== '' && error instanceof WebAssembly.RuntimeError) return { kind: 'panic', text: said }
    throw failure('POLICY_ENGINE_FAILED', 'the policy engine ended in the middle of an evaluation', {
      cause: error,
    })
  }
}
