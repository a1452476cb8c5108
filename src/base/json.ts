import canonicalize from 'canonicalize'
import { failure } from './codes.ts'
import { limits } from './limits.ts'

/** A JSON value as `parseJson` returns it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export interface JsonLimits {
  readonly maxBytes: number
  readonly maxDepth?: number
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses JSON from outside: bounded size and depth, strict UTF-8, no duplicate keys, no `__proto__`, no half of a
 * surrogate pair. Two readers of the same bytes must never understand two things (RFC 8259 section 4 leaves
 * duplicates open, section 8.2 half characters), and what is read can be written as canonical JSON.
 *
 * @throws JSON_TOO_LARGE, JSON_TOO_DEEP, JSON_INVALID, JSON_FORBIDDEN_KEY
 */
export function parseJson(bytes: Uint8Array, { maxBytes, maxDepth = limits.jsonDepth }: JsonLimits): Json {
  if (bytes.length > maxBytes) {
    throw failure(
      'JSON_TOO_LARGE',
      `a JSON document of ${bytes.length} bytes is over the limit of ${maxBytes}`,
    )
  }
  let text: string
  let value: Json
  const keys = scan(bytes, maxDepth)
  try {
    text = decoder.decode(bytes)
    value = JSON.parse(text) as Json
  } catch (cause) {
    throw failure('JSON_INVALID', 'not valid JSON', { cause })
  }
  // A repeated key is swallowed by JSON.parse, so the document holds more keys than the value does.
  if (countKeys(value) !== keys) {
    throw failure('JSON_FORBIDDEN_KEY', 'an object in the JSON document names the same key twice')
  }
  // Strict UTF-8 has none, so only an escape can make one.
  if (/\\u[dD][89a-fA-F]/.test(text) && !isWellFormed(value)) {
    throw failure('JSON_INVALID', 'a text in the JSON document holds half of a surrogate pair')
  }
  return value
}

/** RFC 8785 canonical JSON, as bytes. @throws JSON_INVALID where there is none: NaN, half a surrogate pair */
export function canonicalJson(value: unknown): Uint8Array {
  let text: string | undefined
  let cause: unknown
  try {
    text = canonicalize(value)
  } catch (error) {
    cause = error
  }
  if (text === undefined) throw failure('JSON_INVALID', 'the value cannot be written as JSON', { cause })
  return new TextEncoder().encode(text)
}

/** Counts the keys and bounds the depth in one pass over the bytes, before anything recursive sees them. */
function scan(bytes: Uint8Array, maxDepth: number): number {
  let depth = 0
  let keys = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === 0x22) {
      at++
      while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) throw failure('JSON_TOO_DEEP', `JSON nested deeper than ${maxDepth} levels`)
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--
    } else if (byte === 0x3a) {
      keys++
    }
  }
  return keys
}

function isWellFormed(value: Json): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (value === null || typeof value !== 'object') return true
  if (Array.isArray(value)) return value.every(isWellFormed)
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && isWellFormed(item))
}

function countKeys(value: Json): number {
  if (value === null || typeof value !== 'object') return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item)
    return count
  }
  for (const key of Object.keys(value)) {
    if (key === '__proto__') {
      throw failure('JSON_FORBIDDEN_KEY', 'the JSON document names the key "__proto__"')
    }
    count += 1 + countKeys(value[key] as Json)
  }
  return count
}
