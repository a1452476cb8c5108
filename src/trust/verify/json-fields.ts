import { type Json, parseJson } from '#base/index.ts'
import { base64, malformed } from './der.ts'

type JsonObject = { readonly [key: string]: Json }

/** `parseJson` with this room's code for what is wrong. @throws PROOF_MALFORMED */
export function jsonIn(bytes: Uint8Array, maxBytes: number, what: string): Json {
  try {
    return parseJson(bytes, { maxBytes })
  } catch (cause) {
    throw malformed(`${what} is not clean JSON: ${(cause as Error).message}`, cause)
  }
}

/** Fields of a JSON object, told apart strictly; `what` names the object in messages. */
export class Fields {
  readonly #object: JsonObject
  readonly what: string

  /** @throws PROOF_MALFORMED */
  constructor(value: Json | undefined, what: string) {
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw malformed(`${what} is not a JSON object`)
    this.#object = value
    this.what = what
  }

  /** No field but these: one that is not known could mean something to another reader. */
  only(...names: readonly string[]): this {
    for (const name of Object.keys(this.#object)) {
      if (!names.includes(name))
        throw malformed(`${this.what} has an unknown field ${JSON.stringify(name.slice(0, 80))}`)
    }
    return this
  }

  has(name: string): boolean {
    return this.#object[name] !== undefined && this.#object[name] !== null
  }

  value(name: string): Json | undefined {
    return this.#object[name]
  }

  text(name: string): string {
    const value = this.#object[name]
    if (typeof value !== 'string' || value === '') throw malformed(`${this.what} has no ${name}`)
    return value
  }

  object(name: string): Fields {
    return new Fields(this.#object[name], `${this.what}.${name}`)
  }

  optionalObject(name: string): Fields | undefined {
    return this.has(name) ? this.object(name) : undefined
  }

  /** Empty where it is absent. */
  list(name: string, most: number): readonly Json[] {
    if (!this.has(name)) return []
    const value = this.#object[name]
    if (!Array.isArray(value)) throw malformed(`${this.what}.${name} is not a list`)
    if (value.length > most) throw malformed(`${this.what}.${name} has more than ${most} items`)
    return value
  }

  base64(name: string): Uint8Array {
    return base64(this.text(name), `${this.what}.${name}`)
  }

  /** A 64-bit number as protobuf writes it in JSON: as text, though a number is taken too. Never negative. */
  int64(name: string): bigint {
    const value = this.#object[name]
    const text = typeof value === 'number' ? String(value) : value
    // Protobuf leaves zero out.
    if (text === undefined) return 0n
    if (typeof text !== 'string' || !/^(0|[1-9]\d{0,18})$/.test(text) || BigInt(text) >= 2n ** 63n)
      throw malformed(`${this.what}.${name} is not a whole number from 0 to 2^63 - 1`)
    return BigInt(text)
  }
}
