/** Bytes are not CBOR of the kind that is read here. */
export class NotCbor extends Error {}

/** A data item. Integers beyond 2^53 are bigint; keys of maps are integers or texts, as manifests have them. */
export type Cbor =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly Cbor[]
  | ReadonlyMap<CborKey, Cbor>
  | CborTag

export type CborKey = number | bigint | string

/** A tag around an item (RFC 8949 section 3.4). */
export class CborTag {
  readonly tag: number | bigint
  readonly value: Cbor

  constructor(tag: number | bigint, value: Cbor) {
    this.tag = tag
    this.value = value
  }
}

export interface CborLimits {
  /** Deepest nesting of arrays, maps and tags. */
  readonly depth: number
  /** Most data items, each part of an array or map counted. */
  readonly items: number
}

/**
 * The one data item that the bytes are, all of them (RFC 8949). A key that a map has twice is refused, in whatever
 * form it is written; so are texts that are not UTF-8, and simple values that mean nothing. Nothing is set aside for a
 * length before the bytes are there.
 *
 * @throws NotCbor
 */
export function parseCbor(bytes: Uint8Array, limits: CborLimits): Cbor {
  const reader = new Reader(bytes, limits)
  const value = reader.item(limits.depth)
  if (reader.at !== bytes.length) throw new NotCbor('there is more behind its end')
  return value
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const stop = 0xff
/** The length is not said: a stop code ends it. */
const indefinite = Symbol('indefinite')

class Reader {
  at = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #left: number

  constructor(bytes: Uint8Array, { items }: CborLimits) {
    // Of a Buffer `slice` would be a view, and keep all of it alive.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#left = items
  }

  item(depth: number): Cbor {
    if (this.#left-- <= 0) throw new NotCbor('it has too many items')
    const first = this.#byte()
    const major = first >> 5
    const info = first & 31
    if (major === 7) return this.#simple(info)
    if (major === 2) return this.#string(2, info)
    if (major === 3) return this.#text(info)
    const argument = this.#argument(info)
    if (major < 2) {
      if (argument === indefinite) throw new NotCbor('an integer has no end')
      return major === 0 ? argument : negative(argument)
    }
    if (depth === 0) throw new NotCbor('it is nested too deeply')
    if (major === 4) return this.#array(argument, depth - 1)
    if (major === 5) return this.#map(argument, depth - 1)
    if (argument === indefinite) throw new NotCbor('a tag has no number')
    return new CborTag(argument, this.item(depth - 1))
  }

  #array(length: number | bigint | typeof indefinite, depth: number): Cbor[] {
    const array: Cbor[] = []
    while (this.#goesOn(length, array.length)) array.push(this.item(depth))
    return array
  }

  #map(length: number | bigint | typeof indefinite, depth: number): Map<CborKey, Cbor> {
    const map = new Map<CborKey, Cbor>()
    while (this.#goesOn(length, map.size)) {
      const start = this.#bytes[this.at]
      const key = this.item(depth)
      const isKey = typeof key === 'string' || typeof key === 'bigint' || Number.isInteger(key)
      // A float that is whole is no integer.
      if (!isKey || (start !== undefined && start >> 5 === 7))
        throw new NotCbor('a key is neither integer nor text')
      if (map.has(key as CborKey)) throw new NotCbor('a map has a key twice')
      map.set(key as CborKey, this.item(depth))
    }
    return map
  }

  #goesOn(length: number | bigint | typeof indefinite, done: number): boolean {
    if (length !== indefinite) return done < length
    if (this.#bytes[this.at] !== stop) return true
    this.at++
    return false
  }

  #text(info: number): string {
    try {
      // Each chunk is UTF-8 by itself (RFC 8949 section 3.2.3).
      if (info !== 31) return utf8.decode(this.#string(3, info))
      return this.#chunks(3)
        .map((chunk) => utf8.decode(chunk))
        .join('')
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      throw new NotCbor('a text is not UTF-8')
    }
  }

  #string(major: number, info: number): Uint8Array {
    if (info === 31) return Uint8Array.from(Buffer.concat(this.#chunks(major)))
    const length = this.#argument(info)
    if (length === indefinite || length > this.#bytes.length - this.at) throw cutShort()
    const start = this.at
    this.at += Number(length)
    return this.#bytes.slice(start, this.at)
  }

  /** Of an indefinite string: definite ones of the same kind. */
  #chunks(major: number): Uint8Array[] {
    const chunks: Uint8Array[] = []
    while (this.#goesOn(indefinite, chunks.length)) {
      if (this.#left-- <= 0) throw new NotCbor('it has too many items')
      const first = this.#byte()
      if (first >> 5 !== major || (first & 31) === 31)
        throw new NotCbor('a string has a part of another kind')
      chunks.push(this.#string(major, first & 31))
    }
    return chunks
  }

  #simple(info: number): Cbor {
    if (info === 20 || info === 21) return info === 21
    if (info === 22) return null
    if (info === 23) return undefined
    if (info < 25 || info > 27) throw new NotCbor('a simple value or stop code has no meaning here')
    const length = 2 ** (info - 24)
    this.#need(length)
    const start = this.at
    this.at += length
    if (info === 25) return this.#view.getFloat16(start)
    return info === 26 ? this.#view.getFloat32(start) : this.#view.getFloat64(start)
  }

  #argument(info: number): number | bigint | typeof indefinite {
    if (info < 24) return info
    if (info === 31) return indefinite
    if (info > 27) throw new NotCbor('a length is written in a way that is reserved')
    const length = 2 ** (info - 24)
    this.#need(length)
    const start = this.at
    this.at += length
    if (info === 24) return this.#view.getUint8(start)
    if (info === 25) return this.#view.getUint16(start)
    if (info === 26) return this.#view.getUint32(start)
    return safe(this.#view.getBigUint64(start))
  }

  #byte(): number {
    this.#need(1)
    return this.#bytes[this.at++]!
  }

  #need(length: number): void {
    if (this.#bytes.length - this.at < length) throw cutShort()
  }
}

/** One form for each number, so that keys are found and told apart. */
const safe = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value

const negative = (argument: number | bigint): number | bigint => safe(-1n - BigInt(argument))

const cutShort = () => new NotCbor('it is cut short')
