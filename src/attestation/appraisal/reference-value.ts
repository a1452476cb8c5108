import { type AttestationLimits, attestationLimits, type Json } from '#base/index.ts'
import { failure } from '../codes.ts'
import { member, parseObject, textMember } from '../members.ts'

/** What evidence is held against, by a name that policies know. */
export interface ReferenceValue {
  readonly name: string
  readonly value: Json
  /** From this moment on there is no such value any more. */
  readonly expiration: Date
}

export type ReferenceValues = Iterable<ReferenceValue>

const code = 'REFERENCE_VALUE_INVALID'
const what = 'the stored reference value'
/** Of the stored form, Trustee's. */
const version = '0.1.0'

/** The stored form, as Trustee's: seconds, UTC. */
export const formatReferenceValue = ({ name, value, expiration }: ReferenceValue): Uint8Array =>
  Buffer.from(
    JSON.stringify({ version, name, expiration: expiration.toISOString().replace(/\.\d+Z$/, 'Z'), value }),
  )

/** @throws REFERENCE_VALUE_INVALID */
export function parseReferenceValue(
  bytes: Uint8Array,
  limits: AttestationLimits = attestationLimits,
): ReferenceValue {
  const body = parseObject(bytes, what, code, limits.bodyBytes, limits.depth)
  const written = member(body, 'version') ?? version
  if (written !== version) throw failure(code, `${what} is not of version ${version}`)
  const value = member(body, 'value')
  if (value === undefined) throw failure(code, `${what} has no value`)
  return {
    name: referenceName(textMember(body, 'name', what, code, limits.referenceNameLength)),
    value,
    expiration: expirationOf(textMember(body, 'expiration', what, code, 64)),
  }
}

/** @throws REFERENCE_VALUE_INVALID for a name that is empty, has control characters, or can be none of a JSON member */
export function referenceName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (name === '' || name === '__proto__' || /[\u0000-\u001f\u007f]/.test(name)) {
    throw failure(code, 'the name of a reference value is empty, has control characters, or is __proto__')
  }
  return name
}

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

function expirationOf(text: string): Date {
  const expiration = dateTime.test(text) ? new Date(text) : new Date(Number.NaN)
  if (Number.isNaN(expiration.getTime())) throw failure(code, `"expiration" of ${what} is not a time`)
  return expiration
}

/**
 * The values that hold at a moment, by name, and the first moment at which one of them ends. Trustee keeps an
 * expiration and never looks at it; here what has expired is not there.
 *
 * @param names those that are wanted; all where it is not said
 */
export function valuesAt(
  references: ReferenceValues,
  at: Date,
  names?: ReadonlySet<string>,
): { readonly values: { [name: string]: Json }; readonly validUntil?: Date } {
  const valid: ReferenceValue[] = []
  for (const reference of references) {
    if (names && !names.has(reference.name)) continue
    if (reference.expiration > at) valid.push(reference)
  }
  const values = Object.fromEntries(valid.map(({ name, value }) => [name, value]))
  if (valid.length === 0) return { values }
  const first = valid.reduce((least, { expiration }) => Math.min(least, expiration.getTime()), Infinity)
  return { values, validUntil: new Date(first) }
}
