import { attestationLimits, isFailure, type Json, parseJson } from '#base/index.ts'
import { type codes, failure } from './codes.ts'

/** A JSON object, told apart from an array and null. */
export type JsonObject = { readonly [name: string]: Json }

export const isObject = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A member of its own: never one that every object inherits. */
export const member = (object: JsonObject, name: string): Json | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined

/** Reads bytes as one JSON object, and says of what kind it was to be. @throws the code */
export function parseObject(
  bytes: Uint8Array,
  what: string,
  code: keyof typeof codes,
  maxBytes: number,
  maxDepth: number = attestationLimits.depth,
): JsonObject {
  let value: Json
  try {
    value = parseJson(bytes, { maxBytes, maxDepth })
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw failure(code, `${what}: ${cause.message}`, { cause })
  }
  if (!isObject(value)) throw failure(code, `${what} is not a JSON object`)
  return value
}

/** A member that is text of at most `maxLength` characters. @throws the code */
export function textMember(
  object: JsonObject,
  name: string,
  what: string,
  code: keyof typeof codes,
  maxLength: number,
): string {
  const value = member(object, name)
  if (typeof value !== 'string') throw failure(code, `${what} has no text "${name}"`)
  if (value.length > maxLength) {
    throw failure(code, `"${name}" of ${what} has ${value.length} characters, the limit is ${maxLength}`)
  }
  return value
}
